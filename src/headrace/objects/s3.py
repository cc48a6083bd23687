"""Objects in a bucket of any S3 API, through obstore.

An object is one conditional put (`If-None-Match: *`), which the server lets in once. Only a data
file of more than `parallel_above_bytes` goes up in parallel parts. S3 through obstore has no
condition on those, so a put that comes late may replace the object, and that changes nothing: the
key of a data file has its epoch and a number in it, an epoch belongs to one flowgraph, which uses a
number once, so **all puts of a data file's key carry the same bytes** (checked in every simulated
run: OB-1). The key is looked for before, to spare a repeat the upload. Manifests and bundles, whose
keys several processes may write, are conditional at any size. The caller repeats, so that each
attempt's outcome is known.

A SHA-256 goes with every body (of each part, where there are parts), and the server compares it
with what arrives: bytes that changed on the way are refused, and nothing stands. The size is
compared before `put` returns.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import obstore
from obstore.exceptions import BaseError

from headrace.binlog.paths import DATA_PREFIXES
from headrace.model.entry import Body
from headrace.model.errors import Conflict, Invalid, NotFound, Unavailable
from headrace.objects.api import ObjectInfo
from headrace.objects.key import check_key, is_key
from headrace.objects.s3_access import S3Access, connect, endpoint_of
from headrace.objects.s3_answers import OutOfRange, meaning
from headrace.runtime.host import Host

__all__ = ["PROBE_FOLDER", "S3Access", "S3Objects", "infos"]

CHECK_S = 10.0  # of the requests at a start, all together
PROBE_FOLDER = ".headrace-check"  # no key begins with a dot


class S3Objects:
    """A bucket, or a part of it below a prefix; see `headrace.objects.api.ObjectStore`."""

    def __init__(self, uri: str, access: S3Access, *, host: Host) -> None:
        self._uri = uri.rstrip("/")
        endpoint = endpoint_of(access)
        self._where = f"{self._uri} at {endpoint}" if endpoint else self._uri
        self._access = access
        self._host = host
        self._store = connect(uri, access)

    @property
    def uri(self) -> str:
        return self._uri

    async def check(self) -> None:
        """Also proves that the server lets a conditional put in only once.

        A server that says nothing for 10 s is `Unavailable`, so that a start can say so.
        """
        try:
            async with asyncio.timeout(CHECK_S):
                await self._check()
        except TimeoutError as error:
            raise Unavailable(
                f"{self._where}: no answer in {CHECK_S:.0f} s; is objects.endpoint right?"
            ) from error

    async def _check(self) -> None:
        with self._errors("the list of objects", "list", probing=True):
            await obstore.list(self._store, PROBE_FOLDER).collect_async()
        key = f"{PROBE_FOLDER}/{self._host.token(8).hex()}"
        with self._errors("an object of this check", "write", probing=True):
            await obstore.put_async(self._store, key, b"check", mode="create")
        try:
            await self._prove(key)
        finally:
            with self._errors("an object of this check", "delete", probing=True):
                await obstore.delete_async(self._store, [key])

    async def _prove(self, key: str) -> None:
        with self._errors("an object of this check", "read", probing=True):
            result = await obstore.get_async(self._store, key)
            if bytes(await result.bytes_async()) != b"check":
                raise Invalid(f"{self._where} gives back other bytes than it took", field="store")
        with (
            contextlib.suppress(Conflict),
            self._errors("an object of this check", "write", probing=True),
        ):
            await obstore.put_async(self._store, key, b"again", mode="create")
            raise Invalid(
                f"{self._where}: the server ignores If-None-Match, so a writer that was replaced "
                "could overwrite objects; use a server that serves conditional puts",
                field="store",
            )

    async def put(self, key: str, parts: Sequence[Body]) -> None:
        check_key(key)
        size = sum(len(p) for p in parts)
        views = [memoryview(p).cast("B") for p in parts if len(p)]
        in_parts = size > self._access.parallel_above_bytes and key.startswith(DATA_PREFIXES)
        with self._errors(key, "write"):
            if in_parts:
                await self._put_in_parts(key, views)
            else:
                await obstore.put_async(self._store, key, views or b"", mode="create")
        try:
            stored = await self._size(key)
        except NotFound as error:
            raise Unavailable(f"object {key} is absent after its put") from error
        if stored != size:
            raise Unavailable(f"object {key} has {stored} bytes of {size} after its put")

    async def _put_in_parts(self, key: str, views: list[memoryview]) -> None:
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
        check_key(key)
        with self._errors(key):
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        check_key(key)
        if length <= 0:
            await self._size(key)
            return b""
        if start < 0:
            start = max(0, await self._size(key) + start)
        try:
            with self._errors(key):
                data = await obstore.get_range_async(self._store, key, start=start, length=length)
        except OutOfRange:
            return b""
        return bytes(data)

    async def _size(self, key: str) -> int:
        with self._errors(key):
            return (await obstore.head_async(self._store, key))["size"]

    async def list(self, prefix: str, *, after: str = "") -> Sequence[ObjectInfo]:
        folder = prefix.rpartition("/")[0]  # obstore's prefixes are whole names
        with self._errors(f"the list of {prefix or 'all objects'}", "list"):
            stream = obstore.list(self._store, folder or None, offset=after or None)
            found = await stream.collect_async()
        return sorted(infos(found, prefix, after), key=lambda info: info.key)

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
        if keys:
            with self._errors(f"{len(keys)} objects", "delete"):
                await obstore.delete_async(self._store, list(dict.fromkeys(keys)))

    async def free_bytes(self) -> int | None:
        return None

    async def close(self) -> None:
        """Connections end with the client."""

    @contextlib.contextmanager
    def _errors(self, what: str, doing: str = "read", *, probing: bool = False) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise meaning(error, what, self._where, doing=doing, probing=probing) from error


def infos(found: Sequence[Mapping[str, Any]], prefix: str, after: str) -> Iterator[ObjectInfo]:
    """What a listing shows of ours."""
    for item in found:
        key = item["path"]
        if key.startswith(prefix) and key > after and is_key(key):
            yield ObjectInfo(key, item["size"], int(item["last_modified"].timestamp() * 1000))
