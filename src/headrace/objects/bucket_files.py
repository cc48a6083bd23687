"""Reads a bucket without an event loop: a listing, and an object as a file of Arrow's.

A file asks for exactly the ranges that Parquet asks for: the footer, then whole columns. Reading
ahead would fetch what is not wanted.
"""

import io
from collections.abc import Sequence

import obstore
import pyarrow as pa
from obstore.exceptions import BaseError
from obstore.store import S3Store

from headrace.model.errors import NotFound
from headrace.objects.api import ObjectInfo
from headrace.objects.s3 import infos
from headrace.objects.s3_answers import meaning


def list_bucket(store: S3Store, prefix: str) -> Sequence[ObjectInfo]:
    """All objects whose keys begin with `prefix`, in key order; errors as the port's."""
    folder = prefix.rpartition("/")[0]
    try:
        found = obstore.list(store, folder or None).collect()
    except (BaseError, OSError) as error:
        # A reader lists first, so this is when absent credentials show.
        what = f"the list of {prefix}"
        raise meaning(error, what, store_uri(store), doing="list", probing=True) from error
    return sorted(infos(found, prefix, ""), key=lambda info: info.key)


def open_object(store: S3Store, key: str) -> pa.NativeFile:
    """An object for random reads; FileNotFoundError when it is absent, else the port's errors."""
    return pa.PythonFile(ObjectFile(store, key), mode="r")


def store_uri(store: S3Store) -> str:
    """How a person names it."""
    bucket = store.config.get("bucket", "")
    return f"s3://{bucket}/{store.prefix or ''}".rstrip("/")


class ObjectFile(io.RawIOBase):
    """An object as a file that can only be read. Arrow calls it from one thread at a time."""

    def __init__(self, store: S3Store, key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._place = 0
        self._size = 0
        try:
            self._size = obstore.head(store, key)["size"]
        except (BaseError, OSError) as error:
            raise self._meaning(error) from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all that are left when it is negative."""
        left = max(0, self._size - self._place)
        length = left if size < 0 else min(size, left)
        if length == 0:
            return b""
        try:
            data = obstore.get_range(self._store, self._key, start=self._place, length=length)
        except (BaseError, OSError) as error:
            raise self._meaning(error) from error
        self._place += len(data)
        return data  # type: ignore[return-value]  # obstore's Bytes are a buffer, as Arrow wants

    def _meaning(self, error: Exception) -> Exception:
        known = meaning(error, self._key, store_uri(self._store))
        return FileNotFoundError(self._key) if isinstance(known, NotFound) else known
