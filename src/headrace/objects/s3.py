"""Objects in a bucket of any S3 API, through obstore.

**Owns** the connection, what S3's answers mean, and how large objects go up. **Does not own** keys
or formats, nor retries of puts: whoever puts repeats, so that each attempt's outcome is known.

Up to `parallel_above_bytes` an object is one conditional put (`If-None-Match: *`), which the server
lets in once. A larger one goes up in parallel parts, and S3 through obstore has no condition on
those: the key is looked for before. That is enough, since only data files are so large: the epoch
and a number are in their keys, so nobody but one flowgraph writes a key, and always the same bytes.
The server checks a SHA-256 of what arrives (of each part, or as part of the signature); the size is
compared before `put` returns.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from headrace.model.entry import Body
from headrace.model.errors import Conflict, HeadraceError, Invalid, NotFound, Unavailable
from headrace.objects.api import ObjectInfo
from headrace.objects.key import check_key, is_key
from headrace.runtime.host import Host

PROBE_FOLDER = ".headrace-check"  # no key begins with a dot
_CODE = re.compile(r"<Code>(\w+)</Code>")
_REFUSALS = {
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "InvalidAccessKeyId": "the access key id is unknown",
    "AccessDenied": "these credentials may not do that",
    "AllAccessDisabled": "these credentials may not do that",
    "InvalidToken": "the session token is wrong",
    "ExpiredToken": "the session token has expired",
    "NoSuchBucket": "there is no such bucket",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the region is wrong",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "InvalidBucketName": "that is no name of a bucket",
}
_RANGE_ERROR = "InvalidRange"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How to reach a bucket. Empty credentials: from AWS's usual variables or the machine's role.

    `endpoint`: of a server that is not AWS's, as http://host:port or https://...
    """

    endpoint: str = ""
    region: str = "us-east-1"
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    timeout_s: float = 120.0  # of one request
    connect_timeout_s: float = 5.0
    parallel_above_bytes: int = 32 << 20
    part_bytes: int = 16 << 20
    parts_in_flight: int = 4


def parse_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`; `Invalid` when it is none."""
    parts = urlsplit(uri)
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise Invalid(f"{uri}: a bucket is spelt s3://bucket/prefix", field="store")
    if prefix:
        check_key(prefix)
    return parts.netloc, prefix


def connect(uri: str, access: S3Access, *, retries: int = 0) -> S3Store:
    """obstore's client of a bucket; nothing is asked of the server yet."""
    bucket, prefix = parse_uri(uri)
    config: dict[str, Any] = {"region": access.region}
    if access.endpoint:
        config |= {"endpoint": access.endpoint, "virtual_hosted_style_request": False}
    if access.access_key_id:
        config["access_key_id"] = access.access_key_id
        config["secret_access_key"] = access.secret_access_key
    if access.endpoint.startswith("http://"):
        options: dict[str, Any] = {"allow_http": True}
    else:  # the channel vouches for the bytes, so the body is hashed once, not twice
        options = {}
        config |= {"unsigned_payload": True, "checksum_algorithm": "SHA256"}
    options["timeout"] = f"{access.timeout_s}s"
    options["connect_timeout"] = f"{access.connect_timeout_s}s"
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]  # as the options: obstore's TypedDict
        client_options=options,  # type: ignore[arg-type]
        retry_config={"max_retries": retries},
    )


class S3Objects:
    """A bucket, or a part of it below a prefix; see `headrace.objects.api.ObjectStore`."""

    def __init__(self, uri: str, access: S3Access, *, host: Host) -> None:
        self._uri = uri.rstrip("/")
        self._access = access
        self._host = host
        self._store = connect(uri, access)

    @property
    def uri(self) -> str:
        """See `ObjectStore`."""
        return self._uri

    async def check(self) -> None:
        """See `ObjectStore`. Also proves that the server lets a conditional put in only once."""
        key = f"{PROBE_FOLDER}/{self._host.token(8).hex()}"
        with self._errors(key, probing=True):
            await obstore.put_async(self._store, key, b"check", mode="create")
        try:
            await self._prove(key)
        finally:
            with self._errors(key, probing=True):
                await obstore.delete_async(self._store, [key])

    async def _prove(self, key: str) -> None:
        with self._errors(key, probing=True):
            result = await obstore.get_async(self._store, key)
            if bytes(await result.bytes_async()) != b"check":
                raise Invalid(f"{self._uri} gives back other bytes than it took", field="store")
        with contextlib.suppress(Conflict), self._errors(key, probing=True):
            await obstore.put_async(self._store, key, b"again", mode="create")
            raise Invalid(
                f"{self._uri}: the server ignores If-None-Match, so a writer that was replaced "
                "could overwrite objects; use a server that serves conditional puts",
                field="store",
            )

    async def put(self, key: str, parts: Sequence[Body]) -> None:
        """See `ObjectStore`."""
        check_key(key)
        size = sum(len(p) for p in parts)
        views = [memoryview(p).cast("B") for p in parts if len(p)]
        with self._errors(key):
            if size <= self._access.parallel_above_bytes:
                await obstore.put_async(self._store, key, views or b"", mode="create")
            else:
                await self._put_parallel(key, views)
        try:
            stored = await self._size(key)
        except NotFound as error:
            raise Unavailable(f"object {key} is absent after its put") from error
        if stored != size:
            raise Unavailable(f"object {key} has {stored} bytes of {size} after its put")

    async def _put_parallel(self, key: str, views: list[memoryview]) -> None:
        try:
            await obstore.head_async(self._store, key)
        except FileNotFoundError:
            await obstore.put_async(
                self._store,
                key,
                views,
                use_multipart=True,
                chunk_size=self._access.part_bytes,
                max_concurrency=self._access.parts_in_flight,
            )
        else:
            raise Conflict(f"object {key} exists")

    async def get(self, key: str) -> bytes:
        """See `ObjectStore`."""
        check_key(key)
        with self._errors(key):
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `ObjectStore`."""
        check_key(key)
        if length <= 0:
            await self._size(key)
            return b""
        if start < 0:
            start = max(0, await self._size(key) + start)
        try:
            with self._errors(key):
                data = await obstore.get_range_async(self._store, key, start=start, length=length)
        except _OutOfRange:
            return b""
        return bytes(data)

    async def _size(self, key: str) -> int:
        with self._errors(key):
            return (await obstore.head_async(self._store, key))["size"]

    async def list(self, prefix: str, *, after: str = "") -> Sequence[ObjectInfo]:
        """See `ObjectStore`."""
        folder = prefix.rpartition("/")[0]  # obstore's prefixes are whole names
        with self._errors(f"the list of {prefix or 'all objects'}"):
            stream = obstore.list(self._store, folder or None, offset=after or None)
            found = await stream.collect_async()
        return sorted(infos(found, prefix, after), key=lambda info: info.key)

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`."""
        for key in keys:
            check_key(key)
        if keys:
            with self._errors(f"{len(keys)} objects to delete"):
                await obstore.delete_async(self._store, list(dict.fromkeys(keys)))

    async def free_bytes(self) -> int | None:
        """See `ObjectStore`. A bucket has no end."""
        return None

    async def close(self) -> None:
        """See `ObjectStore`. Connections end with the client."""

    @contextlib.contextmanager
    def _errors(self, what: str, *, probing: bool = False) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise meaning(error, what, self._uri, probing=probing) from error


class _OutOfRange(HeadraceError):
    """The range begins behind the object's end."""


def infos(found: Sequence[Mapping[str, Any]], prefix: str, after: str) -> Iterator[ObjectInfo]:
    """What a listing shows of ours."""
    for item in found:
        key = item["path"]
        if key.startswith(prefix) and key > after and is_key(key):
            yield ObjectInfo(key, item["size"], int(item["last_modified"].timestamp() * 1000))


def meaning(error: Exception, what: str, uri: str, *, probing: bool = False) -> HeadraceError:
    """Which of our errors an error of the bucket is."""
    if isinstance(error, AlreadyExistsError | PreconditionError):
        return Conflict(f"object {what} exists")
    text = str(error)
    match = _CODE.search(text)
    code = match[1] if match else ""
    if code in _REFUSALS:
        return Invalid(f"{uri}: {_REFUSALS[code]} ({code})", field="store")
    if code == _RANGE_ERROR:
        return _OutOfRange(f"object {what} ends before the range")
    if isinstance(error, FileNotFoundError) and not probing:
        return NotFound(f"object {what} is absent in {uri}", field="key")
    first = text.split("\n", 1)[0]
    return Unavailable(f"{uri}: {what}: {code or first}")
