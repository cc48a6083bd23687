"""The data directory of a standalone cluster: whose it is, and what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes.waiting import wait_until

from headrace.app import clusterfile
from headrace.app.clusterfile import ClusterFile
from headrace.model.errors import Invalid, Unavailable

HOLDER = """
import pathlib, sys
from headrace.app import clusterfile
held = clusterfile.claim(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
# Claims, leaves the lock to a child that outlives it, and ends.
ORPHAN = """
import os, pathlib, subprocess, sys
from headrace.app import clusterfile
held = clusterfile.claim(pathlib.Path(sys.argv[1]))
child = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=[held.fileno()]
)
print("held", flush=True)
"""


def start(program: str, directory: Path) -> "subprocess.Popen[str]":
    """Run the program up to the word that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_claim_makes_the_directory_and_may_be_repeated_after_its_end(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    for _ in range(2):
        with clusterfile.claim(directory):
            assert clusterfile.is_alive(directory)
            assert (directory / "lock").read_text() == f"{os.getpid()}\n"
        assert not clusterfile.is_alive(directory)


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    holder = start(HOLDER, tmp_path)
    with pytest.raises(Invalid, match="is in use by a live cluster"):
        clusterfile.claim(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{holder.pid}\n"
    holder.communicate()
    clusterfile.claim(tmp_path).close()


def test_children_of_a_supervisor_that_died_hold_it_until_they_end(tmp_path: Path) -> None:
    orphan = start(ORPHAN, tmp_path)
    orphan.wait()
    with pytest.raises(Unavailable, match="whose supervisor died still run"):
        clusterfile.claim(tmp_path)
    orphan.communicate()
    wait_until(lambda: not clusterfile.is_alive(tmp_path), "the child has ended")
    clusterfile.claim(tmp_path).close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"version": "0"}, "has layout version 0, this program knows 2"),
        ({"version": "\udcff9"}, "has layout version .9, this program knows 2"),
        ({"version": "", "etcd": ""}, "version is empty: .* write 2 into that file"),
        ({"photo": ""}, r"is not empty and no data directory of Headrace \(it holds photo\)"),
    ],
)
def test_a_directory_of_others_is_refused_and_left_as_it_is(
    tmp_path: Path, content: dict[str, str], words: str
) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text, errors="surrogateescape")
    with pytest.raises(Invalid, match=words):
        clusterfile.claim(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(content)


def test_a_claim_of_which_nothing_came_leaves_nothing(tmp_path: Path) -> None:
    clusterfile.give_up(tmp_path, clusterfile.claim(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert not clusterfile.is_alive(tmp_path)


def test_a_claim_of_which_something_came_keeps_its_version(tmp_path: Path) -> None:
    claimed = clusterfile.claim(tmp_path)
    (tmp_path / "store").mkdir()
    clusterfile.give_up(tmp_path, claimed)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lock", "store", "version"]
    clusterfile.claim(tmp_path).close()


def test_a_place_that_can_be_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Invalid, match="cannot be used"):
            clusterfile.claim(place)


def test_cluster_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = ClusterFile(
        supervisor_pid=1,
        etcd="127.0.0.1:1",
        nats="nats://127.0.0.1:2",
        nats_monitor="http://127.0.0.1:3",
        store="file:///a",
        front_doors=("127.0.0.1:4",),
        metrics={"proxy-1": "http://127.0.0.1:5"},
    )
    clusterfile.write(tmp_path, content)
    assert clusterfile.read(tmp_path) == content


def test_without_cluster_json_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="headrace standalone --data-dir"):
        clusterfile.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"supervisor_pid":1,"et', b"{}", b"\xff\x00"])
def test_a_cluster_json_that_is_none_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cluster.json").write_bytes(content)
    with pytest.raises(Invalid, match="the next start of its cluster writes it anew"):
        clusterfile.read(tmp_path)


def test_an_empty_version_in_an_empty_directory_is_a_start_that_was_cut_short(
    tmp_path: Path,
) -> None:
    (tmp_path / "version").write_text("")
    clusterfile.claim(tmp_path).close()
    assert (tmp_path / "version").read_text() == "2\n"
