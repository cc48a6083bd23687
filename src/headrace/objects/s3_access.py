"""How to reach a bucket: its URI, the server, the credentials; and obstore's client of it.

What is not given is taken from AWS's usual variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_SESSION_TOKEN`, `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ENDPOINT_URL_S3` (or
`AWS_ENDPOINT_URL`); without credentials there, from the role of the machine. All texts are checked
before the client sees them: it panics at what is no URL or no header.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from obstore.store import S3Store

from headrace.model.errors import Invalid
from headrace.objects.key import check_key

DEFAULT_REGION = "us-east-1"
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CREDENTIAL_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_CREDENTIALS = ("access_key_id", "secret_access_key", "session_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How to reach a bucket. What is empty comes from AWS's usual variables.

    `endpoint`: of a server that is not AWS's, as http://host:port or https://...
    """

    endpoint: str = ""
    region: str = ""
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    timeout_s: float = 120.0  # of one request
    connect_timeout_s: float = 5.0
    parallel_above_bytes: int = 32 << 20
    part_bytes: int = 16 << 20
    parts_in_flight: int = 4

    def __post_init__(self) -> None:
        """`Invalid` names the value that cannot be, and does not show what is secret."""
        check_endpoint(self.endpoint, "endpoint")
        for name in ("region", *_CREDENTIALS):
            _check_text(getattr(self, name), name)
        if bool(self.access_key_id) != bool(self.secret_access_key):
            absent = "secret_access_key" if self.access_key_id else "access_key_id"
            raise Invalid(f"{absent} is not set, and the other one is", field=absent)
        if self.session_token and not self.access_key_id:
            raise Invalid("session_token goes with access_key_id", field="session_token")


def parse_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`; `Invalid` when it is none."""
    parts = urlsplit(uri)
    if "@" in parts.netloc:
        raise Invalid(
            "a bucket is spelt s3://bucket/prefix; credentials go into objects.access_key_id and "
            "objects.secret_access_key, or into AWS's usual variables",
            field="store",
        )
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise Invalid(f"{uri}: a bucket is spelt s3://bucket/prefix", field="store")
    if prefix:
        check_key(prefix)
    return parts.netloc, prefix


def endpoint_of(access: S3Access, environ: Mapping[str, str] = os.environ) -> str:
    """The server's URL, "" for AWS's own."""
    if access.endpoint:
        return access.endpoint.rstrip("/")
    for name in _ENDPOINT_VARIABLES:
        if found := environ.get(name, ""):
            check_endpoint(found, name)
            return found.rstrip("/")
    return ""


def region_of(
    access: S3Access,
    environ: Mapping[str, str] = os.environ,
    *,
    default: str = DEFAULT_REGION,
) -> str:
    """The region that requests are signed for."""
    for name in _REGION_VARIABLES:
        _check_text(environ.get(name, ""), name)
    found = (environ.get(name, "") for name in _REGION_VARIABLES)
    return access.region or next(filter(None, found), default)


def credentials_of(access: S3Access, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """obstore's settings of the credentials, those of one source only; empty: the machine's role.

    `Invalid` when the environment has half of them.
    """
    if access.access_key_id:
        values = [getattr(access, name) for name in _CREDENTIALS]
    else:
        values = [environ.get(name, "") for name in _CREDENTIAL_VARIABLES]
        for name, value in zip(_CREDENTIAL_VARIABLES, values, strict=True):
            _check_text(value, name)
        if bool(values[0]) != bool(values[1]):
            absent = _CREDENTIAL_VARIABLES[1 if values[0] else 0]
            raise Invalid(f"{absent} is not set in the environment, and the other one is")
    return {n: v for n, v in zip(_CREDENTIALS, values, strict=True) if v}


def connect(uri: str, access: S3Access, *, retries: int = 0) -> S3Store:
    """obstore's client of a bucket; nothing is asked of the server yet."""
    bucket, prefix = parse_uri(uri)
    endpoint = endpoint_of(access)
    # Sent with every body: not all servers compare the hash in a signature with what arrives.
    config: dict[str, Any] = {"region": region_of(access), "checksum_algorithm": "SHA256"}
    if endpoint:
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if endpoint.startswith("http://"):
        options: dict[str, Any] = {"allow_http": True}
    else:  # the channel vouches for the sender, so the body is hashed once, not twice
        options = {}
        config["unsigned_payload"] = True
    options["timeout"] = f"{access.timeout_s}s"
    options["connect_timeout"] = f"{access.connect_timeout_s}s"
    credentials = credentials_of(access)
    given: dict[str, Any] = {}
    if credentials:  # as a provider: settings would be mixed with a token of the environment
        given["credential_provider"] = lambda: {
            "access_key_id": credentials["access_key_id"],
            "secret_access_key": credentials["secret_access_key"],
            "token": credentials.get("session_token"),
            "expires_at": None,
        }
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]  # as the options: obstore's TypedDict
        client_options=options,  # type: ignore[arg-type]
        retry_config={"max_retries": retries},
        **given,
    )


def check_endpoint(text: str, name: str) -> None:
    """`Invalid` unless it is empty or the URL of a server."""
    if not text:
        return
    _check_text(text, name)
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise Invalid(f"{name} holds credentials; they have settings of their own", field=name)
    try:
        served = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        served = False
    if not served or parts.path.strip("/") or parts.query or parts.fragment:
        raise Invalid(f"{name} is {text!r}; a server is spelt http://host:port", field=name)


def _check_text(text: str, name: str) -> None:
    if not all("!" <= c <= "~" for c in text):
        raise Invalid(
            f"{name} has a space, a line end or a character that is not ASCII in it", field=name
        )
