"""What S3's answers mean, and which setting they name."""

import pytest
from obstore.exceptions import AlreadyExistsError, GenericError, PermissionDeniedError

from headrace.model.errors import Conflict, Invalid, NotFound, Unavailable
from headrace.objects.s3_answers import meaning

WHERE = "s3://bucket/prefix"
CONNECT = 'Generic S3 error: sending\n\nDebug source:\nHttpError { kind: Connect, %s: "%s" }'


def answer(code: str) -> str:
    return f"Error performing PUT - 403: <Error><Code>{code}</Code><Message>m</Message></Error>"


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (AlreadyExistsError("x"), Conflict, "object k exists"),
        (GenericError(answer("SignatureDoesNotMatch")), Invalid, "objects.secret_access_key"),
        (GenericError(answer("InvalidAccessKeyId")), Invalid, "objects.access_key_id"),
        (GenericError(answer("ExpiredToken")), Invalid, "objects.session_token"),
        (PermissionDeniedError(answer("AccessDenied")), Invalid, "may not write there"),
        (FileNotFoundError(answer("NoSuchBucket")), Invalid, "no such bucket.*objects.uri"),
        (GenericError(answer("AuthorizationHeaderMalformed")), Invalid, "objects.region"),
        (GenericError(answer("RequestTimeTooSkewed")), Invalid, "the clocks .* differ"),
        (
            GenericError("Received redirect: normally an incorrectly configured region"),
            Invalid,
            "objects.region",
        ),
        (FileNotFoundError(answer("NoSuchKey")), NotFound, "object k is absent"),
        (GenericError(answer("SlowDown")), Unavailable, "SlowDown"),
        (
            GenericError(CONNECT % ("message", "Connection refused")),
            Unavailable,
            r"no connection \(Connection refused\); is objects.endpoint right",
        ),
        (GenericError(CONNECT % ("error", "dns: no such name")), Unavailable, "dns: no such name"),
        (GenericError("x\n\nDebug: InvalidContentType"), Unavailable, "does not speak TLS"),
        (GenericError("x\n\nDebug: kind: Timeout"), Unavailable, "no answer in time"),
        (GenericError("something else\n\nDebug source:\nlong"), Unavailable, "something else$"),
    ],
)
def test_an_answer_means_what_the_caller_should_do(error, kind, sentence):
    with pytest.raises(kind, match=sentence):
        raise meaning(error, "k", WHERE, doing="write")


def test_a_role_that_is_asked_for_in_vain_is_no_credentials_at_first_and_trouble_later():
    error = GenericError("Error performing PUT http://169.254.169.254/latest/api/token")
    assert isinstance(meaning(error, "k", WHERE, probing=True), Invalid)
    assert isinstance(meaning(error, "k", WHERE), Unavailable)


def test_what_must_be_there_is_not_just_absent_at_the_check():
    error = FileNotFoundError("404 Not Found")
    assert isinstance(meaning(error, "k", WHERE, probing=True), Unavailable)
