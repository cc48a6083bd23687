"""What should be stored, told from the log alone.

The whole log is read into rows, deletes, segments and DDL per vchannel, and the invariants that the
log itself must keep are checked on the way (SQ-1, TT-1, ID-1, RQ-1). The log is the one thing that
the system may not get wrong; all else is derived from it. So the oracle is written without the
system's code, but for the decoding of bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.binlog.body import decode_keys, decode_rows
from headrace.log.api import Message
from headrace.model.channel import VChannel
from headrace.model.entry import Ddl, DdlKind, Entry, Rows, Seal, TermStart
from headrace.model.group import decode
from headrace.model.ids import MessageId, SegmentId
from headrace.model.timestamp import Timestamp


class Violation(Exception):
    """An invariant does not hold; the text begins with its id."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row that the log gave to a segment."""

    row_id: int
    key: int | str
    timestamp: Timestamp
    segment_id: SegmentId
    version: int
    partition_id: int = 0
    value: object = None  # of the column `value`, to see that content travels


@dataclass(frozen=True, slots=True, order=True)
class LoggedDelete:
    """One deleted key, in one partition or in all (0)."""

    timestamp: Timestamp
    key: Any
    partition_id: int = 0

    def hides(self, timestamp: Timestamp, partition_id: int) -> bool:
        return timestamp < self.timestamp and self.partition_id in (0, partition_id)


@dataclass(slots=True)
class ChannelTruth:
    """What the log says of one vchannel."""

    rows: list[Row] = field(default_factory=list)
    deletes: list[LoggedDelete] = field(default_factory=list)
    seals: list[tuple[Timestamp, SegmentId]] = field(default_factory=list)
    versions: dict[int, Timestamp] = field(default_factory=dict)
    drop: Timestamp | None = None
    dropped_partitions: dict[int, Timestamp] = field(default_factory=dict)

    def live(self, at: Timestamp) -> dict[int, Row]:
        """Rows by row id that a snapshot at a timestamp shows."""
        gone = {p for p, when in self.dropped_partitions.items() if when <= at}
        deletes = by_key(d for d in self.deletes if d.timestamp <= at)
        return {
            row.row_id: row
            for row in self.rows
            if row.timestamp <= at
            and row.partition_id not in gone
            and not any(d.hides(row.timestamp, row.partition_id) for d in deletes.get(row.key, ()))
        }


def by_key(deletes: Iterable[LoggedDelete]) -> dict[Any, list[LoggedDelete]]:
    """Deletes by their key."""
    found: dict[Any, list[LoggedDelete]] = {}
    for delete in deletes:
        found.setdefault(delete.key, []).append(delete)
    return found


@dataclass(slots=True)
class Truth:
    """What one pchannel's log says."""

    channels: dict[VChannel, ChannelTruth] = field(default_factory=dict)
    term_starts: list[Timestamp] = field(default_factory=list)
    parts: dict[bytes, MessageId] = field(default_factory=dict)
    last_timestamp: Timestamp = 0
    last_message: MessageId = 0
    term: int = 0
    number: int = 0

    def read(self, pchannel: str, messages: Sequence[Message]) -> None:
        """Go on with messages that came since; `Violation` when the log breaks a promise."""
        for message in messages:
            if message.id <= self.last_message:
                continue
            if message.id != self.last_message + 1:
                raise Violation(f"SQ-1 {pchannel}: message {message.id} after {self.last_message}")
            group = decode(message.data, pchannel)
            self._check_term(pchannel, message.id, group.term, group.number, group.entries)
            self.last_message = message.id
            for entry in group.entries:
                if entry.timestamp <= self.last_timestamp:
                    raise Violation(
                        f"TT-1 {pchannel}: {entry.timestamp} in message {message.id} is not above "
                        f"{self.last_timestamp}"
                    )
                self.last_timestamp = entry.timestamp
                self._take(pchannel, message.id, entry)

    def _check_term(
        self, pchannel: str, message_id: int, term: int, number: int, entries: Sequence[Entry]
    ) -> None:
        starts = any(isinstance(entry, TermStart) for entry in entries)
        if starts:
            if term or number:
                raise Violation(f"SQ-1 {pchannel}: TermStart {message_id} names a term")
            self.term, self.number = message_id, 0
        elif (term, number) != (self.term, self.number + 1):
            raise Violation(
                f"SQ-1 {pchannel}: message {message_id} is ({term}, {number}) after "
                f"({self.term}, {self.number})"
            )
        else:
            self.number = number

    def _take(self, pchannel: str, message_id: MessageId, entry: Entry) -> None:
        match entry:
            case TermStart():
                self.term_starts.append(entry.timestamp)
            case Rows():
                if entry.part_id in self.parts:
                    raise Violation(
                        f"RQ-1 {pchannel}: part {entry.part_id.hex()} stands in messages "
                        f"{self.parts[entry.part_id]} and {message_id}"
                    )
                self.parts[entry.part_id] = message_id
                channel = self.channels.setdefault(entry.vchannel, ChannelTruth())
                present = max(channel.versions, default=0)
                if entry.version != present:
                    raise Violation(
                        f"SC-1 {entry.vchannel}: message {message_id} has rows of version "
                        f"{entry.version}, the present one is {present}"
                    )
                if channel.drop is None:
                    channel.rows.extend(_rows_of(entry))
                    if entry.deletes:
                        channel.deletes.extend(
                            LoggedDelete(entry.timestamp, key, entry.delete_partition_id)
                            for key in decode_keys(entry.delete_body).to_pylist()
                        )
            case Seal():
                channel = self.channels.setdefault(entry.vchannel, ChannelTruth())
                channel.seals.append((entry.timestamp, entry.segment_id))
            case Ddl():
                channel = self.channels.setdefault(entry.vchannel, ChannelTruth())
                self._take_ddl(channel, entry)
            case _:
                pass

    def _take_ddl(self, channel: ChannelTruth, entry: Ddl) -> None:
        if entry.version <= max(channel.versions, default=0):
            return  # a repeat: a no-op for everybody
        channel.versions[entry.version] = entry.timestamp
        if entry.kind is DdlKind.DROP:
            channel.drop = entry.timestamp
        elif entry.kind is DdlKind.DROP_PARTITION:
            channel.dropped_partitions[entry.partition_id] = entry.timestamp


def _rows_of(entry: Rows) -> Iterator[Row]:
    if not entry.rows:
        return
    batch = decode_rows(entry.body)
    keys = batch.column(0).to_pylist()
    named = "value" in batch.schema.names
    values = batch.column("value").to_pylist() if named else [None] * len(keys)
    if sum(s.rows for s in entry.segments) != entry.rows or len(keys) != entry.rows:
        raise Violation(f"SG-2 an entry of {entry.rows} rows gives {entry.segments}")
    for run in entry.segments:
        for n in range(run.first_row, run.first_row + run.rows):
            about = (entry.timestamp, run.segment_id, entry.version, entry.partition_id)
            yield Row(entry.first_row_id + n, keys[n], *about, values[n])
