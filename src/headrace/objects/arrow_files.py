"""The read side of a store as `pyarrow.fs.FileSystem`, in which a path is an object's key.

The reader is a library for people: its calls are synchronous, and Parquet is read in ranges by
Arrow's own threads. So it takes a file system of Arrow's and not the port.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from headrace.model.errors import Invalid, NotFound
from headrace.objects.api import ObjectInfo
from headrace.objects.bucket_files import list_bucket, open_object
from headrace.objects.memory import MemoryBucket
from headrace.objects.s3_access import S3Access, connect

READ_RETRIES = 5


def file_system(uri: str | Path, access: S3Access | None = None) -> pafs.FileSystem:
    """The store at a plain path, a `file:///` URI or `s3://bucket/prefix` (reached by `access`,
    else by AWS's usual variables); `Invalid` when there is none."""
    if str(uri).startswith("s3://"):
        store = connect(str(uri), access or S3Access(), retries=READ_RETRIES)
        list_keys, open_key = partial(list_bucket, store), partial(open_object, store)
        return pafs.PyFileSystem(ReadHandler("headrace-s3", list_keys, open_key))
    return pafs.SubTreeFileSystem(str(local_root(uri)), pafs.LocalFileSystem())


def memory_file_system(server: MemoryBucket) -> pafs.FileSystem:
    """The objects of a server in memory."""

    def open_key(key: str) -> pa.NativeFile:
        try:
            return pa.BufferReader(server.get(key))
        except NotFound:
            raise FileNotFoundError(key) from None

    return pafs.PyFileSystem(ReadHandler("headrace-memory", server.list, open_key))


def local_root(uri: str | Path) -> Path:
    """The directory that a `file:///` URI or a plain path means; `Invalid` when it is none."""
    text = str(uri)
    parts = urlsplit(text)
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"}:
            raise Invalid(
                f"{text}: a file URI has three slashes, as in file:///data", field="store"
            )
        root = Path(unquote(parts.path))
    elif "://" in text:
        raise Invalid(f"{text}: stores of kind {parts.scheme!r} are not served", field="store")
    else:
        root = Path(text).expanduser()
    if not root.is_dir():
        raise Invalid(f"there is no object directory at {root}", field="store")
    return root.absolute()


class ReadHandler(pafs.FileSystemHandler):  # type: ignore[misc]  # pyarrow has no types
    """What Arrow asks of a file system, as far as reading goes; the rest is refused."""

    def __init__(
        self,
        name: str,
        list_keys: Callable[[str], Sequence[ObjectInfo]],
        open_key: Callable[[str], pa.NativeFile],
    ) -> None:
        self.name = name
        self.list_keys = list_keys  # of a prefix
        self.open_key = open_key  # FileNotFoundError when absent

    def get_type_name(self) -> str:
        return self.name

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        found = []
        for path in paths:
            sizes = {i.key: i.size_bytes for i in self.list_keys(path)}
            kind = pafs.FileType.File if path in sizes else pafs.FileType.NotFound
            found.append(pafs.FileInfo(path, kind, size=sizes.get(path)))
        return found

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        """Always recursive."""
        prefix = selector.base_dir.rstrip("/") + "/" if selector.base_dir else ""
        found = self.list_keys(prefix)
        return [pafs.FileInfo(i.key, pafs.FileType.File, size=i.size_bytes) for i in found]

    def open_input_file(self, path: str) -> pa.NativeFile:
        return self.open_key(path)

    open_input_stream = open_input_file

    def _refuse(self, *what: Any) -> NoReturn:
        raise PermissionError(f"{what[0] if what else 'all objects'}: objects are only read here")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refuse
