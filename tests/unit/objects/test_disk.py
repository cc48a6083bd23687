"""Objects below a directory: write order, leftovers, trouble with the disk."""

import errno
import fcntl
import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headrace.model.errors import Conflict, Invalid, Unavailable
from headrace.objects.disk import INCOMING, Disk, meaning


def incoming(root: Path) -> list[str]:
    folder = root / INCOMING
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def test_a_put_leaves_no_temporary_file_whether_it_wins_or_loses(tmp_path):
    disk = Disk(tmp_path, "t")
    disk.put("a/b", [b"x"])
    with pytest.raises(Conflict):
        disk.put("a/b", [b"y"])
    assert incoming(tmp_path) == []
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["b"]


def test_bytes_are_synced_before_the_name_and_the_name_before_the_answer(tmp_path, monkeypatch):
    calls = []
    fsync, link = os.fsync, os.link

    def seen_fsync(descriptor):
        calls.append(f"sync {path_of(descriptor)}")
        fsync(descriptor)

    def seen_link(source, target):
        calls.append(f"link {target}")
        link(source, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "link", seen_link)
    Disk(tmp_path, "t").put("a/b/c", [b"x"])
    assert calls == [
        f"sync {tmp_path}/{INCOMING}/t-0",
        f"link {tmp_path}/a/b/c",
        f"sync {tmp_path}/a/b",
        f"sync {tmp_path}/a",
        f"sync {tmp_path}",
    ]


def test_an_object_that_exists_is_synced_before_it_is_said_to_exist(tmp_path, monkeypatch):
    Disk(tmp_path, "dead").put("a/b", [b"x"])
    synced = []
    monkeypatch.setattr(os, "fsync", lambda d: synced.append(path_of(d)))
    with pytest.raises(Conflict):
        Disk(tmp_path, "t").put("a/b", [b"x"])
    assert synced == [str(tmp_path / "a"), str(tmp_path)]


KILLED_WRITER = """
import os, sys
from pathlib import Path
from headrace.objects.disk import Disk
disk = Disk(Path(sys.argv[1]), "killed")
os.link = lambda source, target: os._exit(9)
disk.put("a/b", [b"x" * 1000])
"""


def test_the_check_removes_what_a_killed_writer_left(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(tmp_path)], timeout=60)
    assert done.returncode == 9
    assert incoming(tmp_path) == ["killed-0"]
    disk = Disk(tmp_path, "t")
    assert list(disk.list("")) == []
    disk.check()
    assert incoming(tmp_path) == []


def test_the_check_leaves_the_temporary_file_of_a_put_under_way(tmp_path, monkeypatch):
    written, go_on = threading.Event(), threading.Event()
    link = os.link

    def held_link(source, target):
        if Path(target).name == "b":
            written.set()
            assert go_on.wait(10)
        link(source, target)

    monkeypatch.setattr(os, "link", held_link)
    put = threading.Thread(target=Disk(tmp_path, "slow").put, args=("a/b", [b"x"]))
    put.start()
    assert written.wait(10)
    Disk(tmp_path, "t").check()
    assert incoming(tmp_path) == ["slow-0"]
    go_on.set()
    put.join()
    assert Disk(tmp_path, "t").get("a/b") == b"x"


def test_a_file_that_anothers_check_removes_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    lock, other = fcntl.flock, Disk(tmp_path, "other")
    swept = []

    def locked_late(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            swept.append(descriptor)
            other.check()
        lock(descriptor, operation)

    (tmp_path / INCOMING).mkdir()
    monkeypatch.setattr(fcntl, "flock", locked_late)
    disk = Disk(tmp_path, "a")
    disk.check()
    swept.clear()
    disk.put("a", [b"x"])
    assert disk.get("a") == b"x"
    assert list((tmp_path / INCOMING).iterdir()) == []


def test_a_directory_that_is_missing_or_a_file_is_invalid(tmp_path):
    with pytest.raises(Invalid, match="does not exist"):
        Disk(tmp_path / "nothing", "t").check()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Invalid, match="is not a directory"):
        Disk(tmp_path / "file", "t").check()


CHECK_AS_NOBODY = """
import os, sys
from pathlib import Path
from headrace.model.errors import Invalid
from headrace.objects.disk import Disk
disk = Disk(Path(sys.argv[1]), "t")
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    disk.check()
except Invalid as error:
    print(error)
"""


def test_a_directory_that_may_not_be_written_is_invalid(tmp_path):
    (tmp_path / "store").mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", CHECK_AS_NOBODY, str(tmp_path / "store")],
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert "cannot be written" in done.stdout or "cannot be read" in done.stdout, done


def test_a_full_disk_is_unavailable_and_says_what_to_do(tmp_path):
    error = meaning(OSError(errno.ENOSPC, "No space left on device"), "insert/1", tmp_path)
    assert isinstance(error, Unavailable)
    assert "is full" in str(error)
    assert "free some space" in str(error)


def test_a_put_that_the_disk_does_not_take_leaves_nothing(tmp_path):
    disk = Disk(tmp_path, "t")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(Unavailable, match="is full"):
            disk.put("a/b", [b"x" * 10_000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert incoming(tmp_path) == []
    assert list(disk.list("")) == []
    disk.put("a/b", [b"x" * 10_000])


def test_a_directory_that_goes_is_unavailable_not_empty_of_this_object(tmp_path):
    disk = Disk(tmp_path / "store", "t")
    (tmp_path / "store").mkdir()
    disk.put("a", [b"x"])
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(Unavailable, match="is gone"):
        disk.get("a")
    with pytest.raises(Unavailable, match="is gone"):
        disk.put("b", [b"x"])


def test_files_of_others_are_not_listed(tmp_path):
    disk = Disk(tmp_path, "t")
    disk.put("a/b", [b"x"])
    (tmp_path / "a" / ".hidden").write_bytes(b"")
    (tmp_path / "a" / "with space").write_bytes(b"")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "x").write_bytes(b"")
    assert [i.key for i in disk.list("")] == ["a/b"]


def test_folders_that_become_empty_go_but_the_root_stays(tmp_path):
    disk = Disk(tmp_path, "t")
    disk.put("a/b/c", [b"x"])
    disk.put("a/d", [b"x"])
    disk.delete(["a/b/c"])
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["d"]
    disk.delete(["a/d"])
    assert tmp_path.exists()


def test_free_space_is_that_of_the_disk(tmp_path):
    status = os.statvfs(tmp_path)
    assert 0 < Disk(tmp_path, "t").free_bytes() <= status.f_blocks * status.f_frsize
