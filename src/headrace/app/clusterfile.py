"""`DIR/cluster.json`: where the servers of a standalone cluster are, for every command that has
DIR.

    DIR/cluster.json   addresses and ports, written when all servers are up
    DIR/version        layout of the directory
    DIR/lock           held by the supervisor and its children while one of them lives
    DIR/etcd, DIR/nats the child servers' data
    DIR/store          the object store
    DIR/logs           one file a process, rotated
"""

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from headrace.model import codec
from headrace.model.errors import Corrupt, Invalid, Unavailable

DIRECTORY_VERSION = "2"
DEFAULT_DIRECTORY = Path("headrace-data")  # of every command that is given none


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFile:
    """What `DIR/cluster.json` says."""

    supervisor_pid: int
    etcd: str  # host:port
    nats: str  # nats://host:port
    nats_monitor: str  # http://host:port
    store: str  # URI of the object store
    store_endpoint: str = ""  # of its server, where it is a bucket not of AWS
    store_region: str = ""
    front_doors: tuple[str, ...]  # host:port, in order of the proxies
    metrics: dict[str, str] = field(default_factory=dict)  # node name -> http://host:port


def write(directory: Path, content: ClusterFile) -> None:
    """Write atomically."""
    path = directory / "cluster.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(codec.encode(content) + b"\n")
    temporary.replace(path)


def read(directory: Path) -> ClusterFile:
    """The file of a data directory; `Invalid` says what to do when there is none."""
    path = directory / "cluster.json"
    if not path.exists():
        raise Invalid(
            f"{directory} holds no cluster: {path.name} is absent; start one with "
            f"`headrace standalone --data-dir {directory}`"
        )
    try:
        return codec.decode(path.read_bytes(), ClusterFile, str(path))
    except Corrupt as error:
        raise Invalid(
            f"{error.message}; the next start of its cluster writes it anew, and what is stored "
            "can be read by `headrace scan NAME --store URI`"
        ) from error


def is_alive(directory: Path) -> bool:
    """Whether a supervisor, or a child that has outlived it, holds the directory now."""
    path = directory / "lock"
    if not path.exists():
        return False
    with path.open("r") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def claim(directory: Path) -> IO[str]:
    """Take the directory until the returned file is closed here and in all who inherited it.

    Makes it if absent; `Invalid` when it is in use, of another version, not ours, not writable;
    `Unavailable` while children of a supervisor that died are still ending. They inherit the lock
    because a second log server on their files would destroy them.
    """
    made = not (directory / "lock").exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = (directory / "lock").open("a+", errors="replace")
    except OSError as error:
        raise Invalid(
            f"the data directory {directory} cannot be used: {error.strerror}; "
            "name one that you may write with --data-dir"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        with handle:
            handle.seek(0)
            if not _runs(handle.read().strip()):
                raise Unavailable(
                    f"processes of a cluster whose supervisor died still run in {directory}"
                ) from error
        raise Invalid(
            f"the data directory {directory} is in use by a live cluster; "
            "stop that one first, or name another with --data-dir"
        ) from error
    if os.fstat(handle.fileno()).st_nlink == 0:  # given up by another in between
        handle.close()
        return claim(directory)
    try:
        _check_version(directory)
    except Invalid:
        if made:
            (directory / "lock").unlink()
        handle.close()
        raise
    handle.seek(0)
    handle.truncate()
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def give_up(directory: Path, claimed: IO[str]) -> None:
    """End a claim; one of which nothing came leaves nothing in the directory."""
    made = {"lock", "version"}
    if directory.is_dir() and {path.name for path in directory.iterdir()} <= made:
        for name in sorted(made):
            (directory / name).unlink(missing_ok=True)
    claimed.close()


def _runs(pid: str) -> bool:
    if not pid.isdecimal():
        return False
    try:
        return bool(psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _check_version(directory: Path) -> None:
    path = directory / "version"
    found = path.read_text(errors="replace").strip() if path.exists() else ""
    if not found:  # absent, or its disk was full or its machine died when it was made
        ours = {"lock", path.name}
        strangers = sorted(p.name for p in directory.iterdir() if p.name not in ours)
        if strangers and path.exists():
            raise Invalid(
                f"{path} is empty: what wrote {directory} cannot be told; if it was this release, "
                f"write {DIRECTORY_VERSION} into that file"
            )
        if strangers:
            raise Invalid(
                f"{directory} is not empty and no data directory of Headrace (it holds "
                f"{', '.join(strangers[:3])}); name an empty or new one with --data-dir"
            )
        path.write_text(DIRECTORY_VERSION + "\n")
        return
    if found != DIRECTORY_VERSION:
        raise Invalid(
            f"the data directory {directory} has layout version {found:.20}, this program knows "
            f"{DIRECTORY_VERSION}; use the release that wrote it, or another --data-dir"
        )
