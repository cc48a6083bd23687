"""What was sent of a source: one line a batch, on disk before the batch leaves.

    {"ingest": 2, "run": ..., "collection": ..., ...}       the first line: what it is about
    {"batch": 0, "first": 0, "rows": 1000, ...}             synced before the batch is sent
    {"done": 0}                                             after it was acknowledged
    {"finished": 123}                                       the source has ended

A kill may cut off the last line; nothing was sent for it. A lost `done` costs a repetition under
the batch's key. A second line of the same batch is another attempt, under another key: it sends the
rows that a snapshot showed to be absent.
"""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import orjson

from headrace.ingest.resume.file_identity import FileIdentity
from headrace.model.errors import Conflict, Invalid, Unavailable
from headrace.model.timestamp import Timestamp
from headrace.objects.disk import sync_folder

VERSION = 2  # rises when an older release could not read what this one writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a journal is about. `created` tells a collection from one of its name before."""

    collection: str
    collection_id: int
    created: Timestamp
    partition: str
    source: str
    identity: FileIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A batch as it was sent. `runs` are the places of its rows, None = all; `crc` is that of the
    request; `rejects_bytes` the length of the file of rejected rows, with those of this batch."""

    batch: int
    first: int
    rows: int
    count: int
    attempt: int
    first_sent: Timestamp
    crc: int
    rejects_bytes: int = 0
    runs: tuple[tuple[int, int], ...] | None = None
    done: bool = field(default=False, compare=False)

    def key(self, run: str) -> str:
        return f"ingest-{run}-{self.batch}-{self.attempt}"


class UploadJournal:
    """An open journal; made by `open_journal`. `sent` is in the order of the batches."""

    def __init__(self, path: Path, handle: IO[bytes], head: Mapping[str, Any]) -> None:
        self.path = path
        self.run: str = head["run"]
        self.rejects: str = ""  # the file of rejected rows
        self.sent: list[Sent] = []
        self.finished: int | None = None  # rows
        self.identity = FileIdentity()  # of the source as it was when the journal was opened
        self.verify = False  # whether what was sent must be compared with the source first
        self._fitting: list[int] = []  # of each batch, the rows that were to be sent at first
        self._handle = handle

    @property
    def rows_standing(self) -> int:
        """Of the acknowledged batches, without rows that did not fit."""
        return sum(n for n, s in zip(self._fitting, self.sent, strict=True) if s.done)

    def close(self) -> None:
        self._handle.close()

    def send(self, sent: Sent) -> None:
        """Write a batch down, synced. Blocks."""
        self._keep(sent)
        line = asdict(sent)
        del line["done"]
        self._write({k: v for k, v in line.items() if v is not None})
        self.sync()

    def done(self, batch: int) -> None:
        """It was acknowledged. Synced with what follows."""
        self.sent[batch] = replace(self.sent[batch], done=True)
        self._write({"done": batch})

    def write_rejects_to(self, path: str) -> None:
        """From here on rows that do not fit go to this file."""
        self.rejects = path
        self._write({"rejects": path})

    def finish(self, rows: int) -> None:
        """Every row of the source stands. Synced."""
        self.finished = rows
        self._write({"finished": rows})
        self.sync()

    def sync(self) -> None:
        try:
            os.fsync(self._handle.fileno())
        except OSError as error:
            raise Unavailable(
                f"the journal {self.path} cannot be written: {error.strerror}"
            ) from error

    @property
    def rows_done(self) -> int:
        return sum(s.rows for s in self.sent if s.done)

    def _write(self, line: Mapping[str, Any]) -> None:
        """A whole line or nothing: what follows a torn one could not be read."""
        data = orjson.dumps(line) + b"\n"
        before = self._handle.seek(0, os.SEEK_END)
        try:
            if self._handle.write(data) == len(data):
                return
            reason = "the disk is full"
        except OSError as error:
            reason = error.strerror or str(error)
        self._handle.truncate(before)
        raise Unavailable(f"the journal {self.path} cannot be written: {reason}")

    def _keep(self, sent: Sent) -> None:
        if sent.batch == len(self.sent):
            self.sent.append(sent)
            self._fitting.append(sent.count)
        else:
            self.sent[sent.batch] = sent

    def _read(self, line: Mapping[str, Any]) -> None:
        if "batch" in line:
            runs = line.get("runs")
            made = {**line, "runs": None if runs is None else tuple((a, b) for a, b in runs)}
            self._keep(Sent(**made))
        elif "done" in line:
            self.sent[line["done"]] = replace(self.sent[line["done"]], done=True)
        elif "rejects" in line:
            self.rejects = line["rejects"]
        elif "finished" in line:
            self.finished = line["finished"]


def is_begun(path: Path) -> bool:
    """Whether there is a journal that has its first line. Blocks."""
    try:
        return b"\n" in path.read_bytes()
    except OSError:  # it is none, or its opening will say what is wrong with it
        return False


def open_journal(path: Path, subject: Subject, run: str) -> UploadJournal:
    """The journal of a source into a collection, made if there is none yet; locked.

    `Conflict` when another process has it; `Invalid` when it is about another collection or source,
    or is none. A source that looks other than it did gets `verify`. Blocks.
    """
    try:
        handle = path.open("a+b", buffering=0)
    except OSError as error:
        raise Invalid(
            f"the journal {path} cannot be written: {error.strerror}; --journal DIR names another "
            "directory for it"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _opened(path, handle, subject, run)
    except BlockingIOError:
        handle.close()
        raise Conflict(f"another ingest has the journal {path}: wait for it, or stop it") from None
    except BaseException:
        handle.close()
        raise


def _opened(path: Path, handle: IO[bytes], subject: Subject, run: str) -> UploadJournal:
    handle.seek(0)
    text = handle.read()
    whole = text[: text.rfind(b"\n") + 1]
    if not whole:
        handle.truncate(0)
        head = {"ingest": VERSION, "run": run, **asdict(subject)}
        journal = UploadJournal(path, handle, head)
        journal._write(head)
        journal.sync()
        sync_folder(path.parent)
        journal.identity = subject.identity
        return journal
    try:
        lines = [orjson.loads(line) for line in whole.splitlines()]
        head = lines[0]
        if head["ingest"] != VERSION:
            raise Invalid(f"{path} was written by another release: finish with that one")
        found = Subject(
            **{**{k: head[k] for k in _SUBJECT}, "identity": FileIdentity(**head["identity"])}
        )
        journal = UploadJournal(path, handle, head)
        for line in lines[1:]:
            journal._read(line)
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError) as error:
        raise Invalid(f"{path} is no journal of an ingest; move it away") from error
    _check(path, found, subject)
    handle.truncate(len(whole))
    journal.verify = found.identity != subject.identity or not subject.identity.size
    journal.identity = subject.identity
    return journal


_SUBJECT = ("collection", "collection_id", "created", "partition", "source")


def _check(path: Path, found: Subject, wanted: Subject) -> None:
    if (found.collection, found.partition) != (wanted.collection, wanted.partition):
        where = f"partition {found.partition!r} of " if found.partition else ""
        raise Invalid(f"{path} is about {where}collection {found.collection!r}; move it away")
    if (found.collection_id, found.created) != (wanted.collection_id, wanted.created):
        raise Invalid(
            f"collection {wanted.collection!r} is another than the one that {path} is about: it "
            "was dropped and made anew, or the cluster is another; remove the journal to ingest "
            f"{wanted.source} into this one"
        )
