"""The journal: what it remembers, whom it refuses, what a kill leaves of it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.ingest.resume.journal import (
    FileIdentity,
    Sent,
    Subject,
    open_journal,
)
from headrace.model.errors import Conflict, Invalid

SUBJECT = Subject(
    collection="docs",
    collection_id=7,
    created=100,
    partition="",
    source="rows.parquet",
    identity=FileIdentity(size=10, mtime_ns=20, digest="ab"),
)


def sent(batch: int, attempt: int = 0) -> Sent:
    return Sent(
        batch=batch,
        first=batch * 10,
        rows=10,
        count=9,
        attempt=attempt,
        first_sent=1000 + batch,
        crc=5,
        runs=((0, 2), (5, 6)) if attempt else None,
    )


def test_it_remembers_what_was_sent_and_done(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = open_journal(path, SUBJECT, "run1")
    journal.write_rejects_to("bad.jsonl")
    for batch in range(3):
        journal.send(sent(batch))
    journal.done(1)
    journal.send(sent(2, attempt=1))
    journal.done(2)
    journal.close()
    again = open_journal(path, SUBJECT, "run2")
    assert again.run == "run1"
    assert again.sent == [sent(0), sent(1), sent(2, attempt=1)]
    assert [s.done for s in again.sent] == [False, True, True]
    assert again.sent[2].key(again.run) == "ingest-run1-2-1"
    assert (again.rejects, again.finished, again.verify) == ("bad.jsonl", None, False)
    assert again.rows_done == 20
    again.finish(30)
    again.close()
    last = open_journal(path, SUBJECT, "run3")
    assert last.finished == 30
    last.close()


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_line_that_a_kill_cut_off_is_as_good_as_not_written(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "j"
    journal = open_journal(path, SUBJECT, "run1")
    journal.send(sent(0))
    journal.send(sent(1))
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    again = open_journal(path, SUBJECT, "x")
    assert again.sent == [sent(0)]
    again.send(sent(1))
    again.close()
    last = open_journal(path, SUBJECT, "x")
    assert last.sent == [sent(0), sent(1)]
    last.close()


def test_a_journal_that_was_cut_off_in_its_first_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"ingest": 1, "run": "x"')
    journal = open_journal(path, SUBJECT, "new")
    assert journal.run == "new"
    journal.send(sent(0))
    journal.close()
    again = open_journal(path, SUBJECT, "other")
    assert (again.run, again.sent) == ("new", [sent(0)])
    again.close()


def test_another_source_is_to_be_compared_and_another_collection_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    open_journal(path, SUBJECT, "run").close()
    touched = replace(SUBJECT, identity=replace(SUBJECT.identity, mtime_ns=21))
    journal = open_journal(path, touched, "run")
    assert journal.verify
    journal.close()
    with pytest.raises(Invalid, match="dropped and made anew, or the cluster is another"):
        open_journal(path, replace(SUBJECT, collection_id=8), "run")
    with pytest.raises(Invalid, match="is about collection 'docs'"):
        open_journal(path, replace(SUBJECT, partition="p"), "run")


def test_what_comes_in_is_always_compared(tmp_path: Path) -> None:
    piped = replace(SUBJECT, identity=FileIdentity())
    journal = open_journal(tmp_path / "j", piped, "run")
    assert not journal.verify
    journal.close()
    again = open_journal(tmp_path / "j", piped, "run")
    assert again.verify
    again.close()


def test_two_ingests_do_not_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "j"
    code = (
        "import fcntl,sys; f=open(sys.argv[1],'a'); fcntl.flock(f,fcntl.LOCK_EX);"
        "print('held',flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Conflict, match="another ingest has the journal"):
            open_journal(path, SUBJECT, "run")
        other.kill()


@pytest.mark.parametrize("text", [b"hello\n", b'{"a":1}\n', b"[]\n"])
def test_what_is_no_journal_is_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(text)
    with pytest.raises(Invalid, match="is no journal of an ingest; move it away"):
        open_journal(path, SUBJECT, "run")
    assert path.read_bytes() == text


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="--journal DIR names another directory"):
        open_journal(tmp_path / "absent" / "j", SUBJECT, "run")
