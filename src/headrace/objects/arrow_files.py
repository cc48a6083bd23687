"""Objects as an Arrow file system, for whoever reads without a loop.

**Owns** the read side of a store as `pyarrow.fs.FileSystem`, in which a path is an object's key.
**Does not own** writing: that is the port's (`objects.api`), and nobody else's.

The reader is a library for people: its calls are synchronous, and Parquet is read in ranges by
Arrow's own threads. So it takes a file system of Arrow's and not the port.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from headrace.model.errors import Invalid, NotFound
from headrace.objects.memory import MemoryServer


def file_system(uri: str | Path) -> pafs.FileSystem:
    """The store at a `file:///` URI or a plain path; `Invalid` when there is none."""
    return pafs.SubTreeFileSystem(str(local_root(uri)), pafs.LocalFileSystem())


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


def memory_file_system(server: MemoryServer) -> pafs.FileSystem:
    """The objects of a server in memory."""
    return pafs.PyFileSystem(_MemoryHandler(server))


class _MemoryHandler(pafs.FileSystemHandler):  # type: ignore[misc]  # pyarrow has no types
    """What Arrow asks of a file system, as far as reading goes."""

    def __init__(self, server: MemoryServer) -> None:
        self.server = server

    def get_type_name(self) -> str:
        return "headrace-memory"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        prefix = selector.base_dir.rstrip("/") + "/"
        found = self.server.list(prefix if selector.base_dir else "")
        return [pafs.FileInfo(i.key, pafs.FileType.File, size=i.size_bytes) for i in found]

    def open_input_file(self, path: str) -> pa.NativeFile:
        try:
            return pa.BufferReader(self.server.get(path))
        except NotFound:
            raise FileNotFoundError(path) from None

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def _info(self, path: str) -> pafs.FileInfo:
        try:
            size = len(self.server.get(path))
        except NotFound:
            return pafs.FileInfo(path, pafs.FileType.NotFound)
        return pafs.FileInfo(path, pafs.FileType.File, size=size)

    def create_dir(self, path: str, recursive: bool) -> None:
        raise PermissionError(f"{path}: objects are read only here")

    def delete_dir(self, path: str) -> None:
        raise PermissionError(f"{path}: objects are read only here")

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        raise PermissionError(f"{path}: objects are read only here")

    def delete_root_dir_contents(self) -> None:
        raise PermissionError("objects are read only here")

    def delete_file(self, path: str) -> None:
        raise PermissionError(f"{path}: objects are read only here")

    def move(self, src: str, dest: str) -> None:
        raise PermissionError(f"{src}, {dest}: objects are read only here")

    def copy_file(self, src: str, dest: str) -> None:
        raise PermissionError(f"{src}, {dest}: objects are read only here")

    def open_output_stream(self, path: str, metadata: dict[str, str]) -> pa.NativeFile:
        raise PermissionError(f"{path}: objects are read only here")

    def open_append_stream(self, path: str, metadata: dict[str, str]) -> pa.NativeFile:
        raise PermissionError(f"{path}: objects are read only here")
