"""What S3's answers mean to us, and which setting would be right.

The texts are the server's error codes, which are the same with every S3 API, and else what the
operating system said of the connection. Nothing of them is a secret: the client shows no
credentials, and only its first line and these codes are passed on.
"""

import re

from obstore.exceptions import AlreadyExistsError, PreconditionError

from headrace.model.errors import Conflict, HeadraceError, Invalid, NotFound, Unavailable

_CODE = re.compile(r"<Code>(\w+)</Code>")
_REASON = re.compile(r'(?:message|error): "([^"]+)"')
_NOWHERE = ("169.254.169.254", "169.254.170.2", "169.254.170.23")  # where a role would come from
_KEY = "set objects.access_key_id (or AWS_ACCESS_KEY_ID)"
_SECRET = "set objects.secret_access_key (or AWS_SECRET_ACCESS_KEY)"
_TOKEN = "set objects.session_token (or AWS_SESSION_TOKEN)"
_REGION = "set objects.region (or AWS_REGION)"
_MAY_NOT = "these credentials may not {doing} there: give them that right, or " + _KEY
_CLOCKS = "the clocks of this machine and of the server differ: set the wrong one right"
_REFUSALS = {
    "SignatureDoesNotMatch": f"the secret access key is wrong: {_SECRET}",
    "InvalidAccessKeyId": f"the access key id is unknown: {_KEY}",
    "AccessDenied": _MAY_NOT,
    "AllAccessDisabled": _MAY_NOT,
    "InvalidToken": f"the session token is wrong: {_TOKEN}",
    "ExpiredToken": f"the session token has expired: {_TOKEN}",
    "NoSuchBucket": "there is no such bucket: create it, or name another in objects.uri",
    "InvalidBucketName": "that is no name of a bucket: see objects.uri",
    "PermanentRedirect": f"the bucket is in another region: {_REGION}",
    "IllegalLocationConstraintException": f"the bucket is in another region: {_REGION}",
    "AuthorizationHeaderMalformed": f"the region is wrong: {_REGION}",
    "RequestTimeTooSkewed": _CLOCKS,
    "RequestExpired": _CLOCKS,
}
_RANGE_ERROR = "InvalidRange"
_REDIRECTED = "incorrectly configured region"  # the client's words for a redirect to another one
NO_CREDENTIALS = (
    "no credentials: set objects.access_key_id and objects.secret_access_key, or "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
)


class OutOfRange(HeadraceError):
    """The range begins behind the object's end."""


def meaning(
    error: Exception, what: str, where: str, *, doing: str = "do that", probing: bool = False
) -> HeadraceError:
    """Which of our errors an error of the client is. `what`: the object, `where`: the bucket,
    `doing`: read, write, list or delete. `probing`: the object must be there, and credentials."""
    if isinstance(error, AlreadyExistsError | PreconditionError):
        return Conflict(f"object {what} exists")
    text = str(error)
    match = _CODE.search(text)
    code = match[1] if match else ""
    if code in _REFUSALS:
        sentence = _REFUSALS[code].format(doing=doing)
        return Invalid(f"{where}: {sentence} ({code})", field="store")
    if code == _RANGE_ERROR:
        return OutOfRange(f"object {what} ends before the range")
    if _REDIRECTED in text:
        return Invalid(f"{where}: the bucket is in another region: {_REGION}", field="store")
    if any(address in text for address in _NOWHERE):
        if probing:
            return Invalid(f"{where}: {NO_CREDENTIALS}", field="store")
        return Unavailable(f"{where}: the machine's role gives no credentials now")
    if isinstance(error, FileNotFoundError) and not probing:
        return NotFound(f"object {what} is absent in {where}", field="key")
    return Unavailable(f"{where}: {what}: {code or _reason(text)}")


def _reason(text: str) -> str:
    """What happened to the connection, as far as the client knows; else its first line."""
    if "InvalidContentType" in text:
        return "the server does not speak TLS: objects.endpoint may have to be http://..."
    if "kind: Timeout" in text:
        return "no answer in time; is objects.endpoint right?"
    if "kind: Connect" in text and (found := _REASON.search(text)):
        return f"no connection ({found[1]}); is objects.endpoint right?"
    return text.split("\n", 1)[0]
