"""Objects in a bucket: what needs no server. The rest is in tests/conformance."""

import pytest
from obstore.exceptions import AlreadyExistsError, GenericError, PermissionDeniedError

from headrace.model.errors import Conflict, Invalid, NotFound, Unavailable
from headrace.objects.s3 import S3Access, infos, meaning, parse_uri

URI = "s3://bucket/prefix"


def answer(code: str) -> str:
    return f"Error performing PUT - 403: <Error><Code>{code}</Code><Message>m</Message></Error>"


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
        ("s3://b/a/c/", ("b", "a/c")),
    ],
)
def test_a_uri_names_bucket_and_prefix(uri, parsed):
    assert parse_uri(uri) == parsed


@pytest.mark.parametrize("uri", ["s3://", "s3:///a", "gs://b/a", "s3://b/a?x=1", "s3://b/../a"])
def test_other_uris_are_refused(uri):
    with pytest.raises(Invalid):
        parse_uri(uri)


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (AlreadyExistsError("x"), Conflict, "object k exists"),
        (GenericError(answer("SignatureDoesNotMatch")), Invalid, "secret access key is wrong"),
        (PermissionDeniedError(answer("AccessDenied")), Invalid, "may not do that"),
        (FileNotFoundError(answer("NoSuchBucket")), Invalid, "no such bucket"),
        (FileNotFoundError(answer("NoSuchKey")), NotFound, "object k is absent"),
        (GenericError(answer("SlowDown")), Unavailable, "SlowDown"),
        (GenericError("HTTP error: refused\n\nDebug source:\nlong"), Unavailable, "refused$"),
    ],
)
def test_an_answer_means_what_the_caller_should_do(error, kind, sentence):
    with pytest.raises(kind, match=sentence):
        raise meaning(error, "k", URI)


def test_secrets_are_not_shown():
    access = S3Access(access_key_id="my-key", secret_access_key="my-secret")
    assert "my-" not in repr(access)


def test_only_our_keys_that_begin_with_the_prefix_are_listed():
    class Moment:
        def timestamp(self) -> float:
            return 1.5

    found = [
        {"path": p, "size": 1, "last_modified": Moment()}
        for p in ("a/1", "a/2", "ab/1", ".headrace-check/x", "a/with space")
    ]
    assert [i.key for i in infos(found, "a/", "")] == ["a/1", "a/2"]
    assert [i.key for i in infos(found, "a", "a/1")] == ["a/2", "ab/1"]
    assert next(infos(found, "", "")).modified_ms == 1500
