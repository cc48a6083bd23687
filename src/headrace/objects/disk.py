"""Objects as files below a directory, synchronously; what `put` has returned for survives a power
cut.

Write order: a temporary name, all bytes, fsync; a hard link to the final name, which fails if that
exists; fsync of the folder and of all folders above it (another writer may have made one of them
and not have synced it yet; a clean folder costs 0.06 ms). So a file is never seen half written, is
never overwritten, and stands after a crash once `put` has returned. A writer holds a lock on its
temporary file; one without a lock is a dead process's leftover.
"""

import contextlib
import errno
import fcntl
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from headrace.model.entry import Body
from headrace.model.errors import Conflict, HeadraceError, Invalid, NotFound, Unavailable
from headrace.objects.api import ObjectInfo
from headrace.objects.key import check_key, is_key

INCOMING = ".incoming"  # no key begins with a dot
_PARTS_MAX = 1024  # of one writev, Linux's and macOS's limit
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ATTEMPTS = 5  # to link into a folder that others remove while it is empty


class Disk:
    """A directory of objects; every call blocks. `prefix` makes temporary names unique."""

    def __init__(self, root: Path, prefix: str) -> None:
        self.root = root
        self._prefix = prefix
        self._numbers = itertools.count()

    def check(self) -> None:
        """Prove that objects can be made and read back; remove what dead processes left.

        `Invalid`: no such directory, not a directory, not writable, or without hard links.
        """
        with self._errors("the check"):
            if not self.root.exists():
                raise Invalid(f"the object directory {self.root} does not exist", field="store")
            if not self.root.is_dir():
                raise Invalid(f"the object store {self.root} is not a directory", field="store")
            (self.root / INCOMING).mkdir(exist_ok=True)
            self._sweep()
            with self._written([b"check"]) as temporary:
                twin = temporary.with_suffix(".twin")
                os.link(temporary, twin)
                try:
                    assert twin.read_bytes() == b"check"
                finally:
                    twin.unlink()

    def put(self, key: str, parts: Sequence[Body]) -> None:
        """Store the parts, joined, under an absent key; `Conflict` when it exists."""
        check_key(key)
        final = self.root / key
        with self._errors(key):
            if final.exists():
                self._settle(final)
                raise Conflict(f"object {key} exists")
            with self._written(parts) as temporary:
                linked = self._link(temporary, final)
                self._settle(final)
        if not linked:
            raise Conflict(f"object {key} exists")

    def get(self, key: str) -> bytes:
        """The whole object; `NotFound` when absent."""
        check_key(key)
        with self._errors(key):
            return (self.root / key).read_bytes()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, fewer at the end; a negative start counts from the end."""
        check_key(key)
        with self._errors(key), (self.root / key).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            begin = start if start >= 0 else max(0, size + start)
            return os.pread(file.fileno(), max(0, min(length, size - begin)), begin)

    def list(self, prefix: str, after: str = "") -> Sequence[ObjectInfo]:
        """Objects whose keys begin with `prefix` and come after `after`, in key order."""
        folder = prefix.rpartition("/")[0]
        found: list[ObjectInfo] = []
        with self._errors(f"the list of {prefix or 'all objects'}"):
            for path, name in _files(self.root / folder, folder):
                if name.startswith(prefix) and name > after and is_key(name):
                    with contextlib.suppress(FileNotFoundError):  # deleted since
                        status = path.stat()
                        modified_ms = status.st_mtime_ns // 1_000_000
                        found.append(ObjectInfo(name, status.st_size, modified_ms))
        return sorted(found, key=lambda info: info.key)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove, with the folders that become empty; absent keys are no error."""
        folders: dict[Path, None] = {}
        for key in keys:
            check_key(key)
            path = self.root / key
            with self._errors(key), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
                folders[path.parent] = None
        for folder in folders:
            with self._errors(str(folder)), contextlib.suppress(FileNotFoundError):
                sync_folder(folder)
            self._prune(folder)

    def free_bytes(self) -> int:
        """What an ordinary user may still write on this disk."""
        with self._errors("free space"):
            status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    @contextlib.contextmanager
    def _written(self, parts: Sequence[Body]) -> Iterator[Path]:
        """A temporary file of these bytes, synced; gone afterwards."""
        incoming = self.root / INCOMING
        incoming.mkdir(exist_ok=True)
        path, descriptor = self._temporary(incoming)
        try:
            _write_all(descriptor, parts)
            os.fsync(descriptor)
            yield path
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def _temporary(self, incoming: Path) -> tuple[Path, int]:
        """A new file, locked. Between its making and its lock another's sweep may remove it."""
        while True:
            path = incoming / f"{self._prefix}-{next(self._numbers)}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
            os.close(descriptor)

    def _link(self, temporary: Path, final: Path) -> bool:
        """Whether a hard link under the final name, in folders made for it, is ours."""
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                final.parent.mkdir(parents=True)
            try:
                os.link(temporary, final)
            except FileExistsError:
                return False
            except FileNotFoundError:  # another process removed the empty folder
                continue
            return True
        raise Unavailable(f"the folder of {final} or {temporary} goes as often as it is made")

    def _settle(self, final: Path) -> None:
        """Make the name that stands there durable, also one that another has linked: he may have
        died before his fsync of the folder."""
        for folder in final.relative_to(self.root).parents:
            with contextlib.suppress(FileNotFoundError):  # deleted since
                sync_folder(self.root / folder)

    def _prune(self, folder: Path) -> None:
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:  # in use, or gone: both are well
                return
            folder = folder.parent

    def _sweep(self) -> None:
        for path in sorted((self.root / INCOMING).iterdir()):
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                finally:
                    os.close(descriptor)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise meaning(error, what, self.root) from error


def meaning(error: OSError, what: str, root: Path) -> HeadraceError:
    """Which of our errors an error of the disk is."""
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        if not root.is_dir():
            return Unavailable(f"the object directory {root} is gone: is its disk mounted?")
        return NotFound(f"object {what} is absent in {root}", field="key")
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return Unavailable(f"the disk of {root} is full ({reason}): free some space; {what} waits")
    if error.errno in _REFUSED:
        return Invalid(
            f"{root} cannot be written ({reason}): check who owns it and how it is mounted",
            field="store",
        )
    return Unavailable(f"{what} in {root}: {reason}")


def _write_all(descriptor: int, parts: Sequence[Body]) -> None:
    views = [memoryview(p).cast("B") for p in parts if len(p)]
    first = 0
    while first < len(views):
        written = os.writev(descriptor, views[first : first + _PARTS_MAX])
        while first < len(views) and written >= len(views[first]):
            written -= len(views[first])
            first += 1
        if written:
            views[first] = views[first][written:]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Blocks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path, key: str) -> Iterator[tuple[Path, str]]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        name = f"{key}/{entry.name}" if key else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), name)
        else:
            yield Path(entry.path), name
