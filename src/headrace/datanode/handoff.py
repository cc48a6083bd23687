"""What the stages of a flowgraph hand on, in the order of the data path.

Rows are views of the message of the log that brought them, from here to the file: no stage copies
them. A view of one row keeps its whole message in memory, so `HeldMessage` counts who still looks
into a message, and `budget` does the sums.

A `SyncPack` is one sync from its cut to its report. It is a value: a stage makes a grown copy and
leaves out what later stages do not need. Rows and deletes go when their files are made, the bytes
of the files when they are stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from headrace.model.channel import Position, VChannel
from headrace.model.entry import Body, Ddl, Rows, Seal, TermStart
from headrace.model.group import Group
from headrace.model.ids import (
    CollectionId,
    Epoch,
    MessageId,
    PartitionId,
    RowId,
    SegmentId,
    Version,
)
from headrace.model.schema import Schema
from headrace.model.segment import FileRef

VChannelEntry: TypeAlias = Rows | Seal | Ddl | TermStart  # what a flowgraph sees of the log


@dataclass(frozen=True, slots=True)
class FetchedGroup:
    """One message of a pchannel, taken apart. `size_bytes` is the whole message's."""

    message_id: MessageId
    size_bytes: int
    group: Group = field(repr=False)


@dataclass(slots=True, eq=False)
class HeldMessage:
    """A message in memory: how many chunks look into it, and how many of these are still in their
    buffers."""

    size_bytes: int
    holders: int = 0
    waiting: int = 0


# ---- dispatch -> growing -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSlice:
    """Rows of one entry that belong to one segment: `rows` of the body from `first_row` on.

    `first_row_id` is that of the body's row 0. `size_bytes` is the segment's share of the body.
    """

    position: Position
    segment_id: SegmentId
    partition_id: PartitionId
    version: Version
    opens: bool
    body: Body = field(repr=False)
    first_row: int
    rows: int
    first_row_id: RowId
    size_bytes: int
    message: HeldMessage = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedKeys:
    """The deletes of one entry, in one partition or in all (0)."""

    position: Position
    body: Body = field(repr=False)
    deletes: int
    partition_id: PartitionId
    size_bytes: int
    message: HeldMessage = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """No more rows for a segment; None = for all that began below this position."""

    position: Position
    segment_id: SegmentId | None


@dataclass(frozen=True, slots=True)
class PartitionDropped:
    """A partition ends here: its segments are forgotten."""

    position: Position
    partition_id: PartitionId


@dataclass(frozen=True, slots=True)
class CollectionDropped:
    """The vchannel ends here."""

    position: Position


Dispatched: TypeAlias = RowSlice | DeletedKeys | Sealed | PartitionDropped | CollectionDropped


# ---- growing -> pack -> persist -> report ------------------------------------------------------


class Stage(StrEnum):
    """Where a sync is."""

    ENCODING = "encoding"
    STORING = "storing"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class SyncKey:
    """Names a sync: the number counts those of one flowgraph."""

    vchannel: VChannel
    epoch: Epoch
    number: int


@dataclass(frozen=True, slots=True)
class EncodedObject:
    """An object to be put, in parts to be written one after the other. `view_bytes`: how many of
    its bytes are views of messages."""

    key: str
    parts: tuple[Body, ...] = field(repr=False)
    view_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """Of all parts."""
        return sum(len(part) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSync:
    """What a sync does for one segment. The segment checkpoint moves from `extends` (None: the
    segment is new) to the pack's position.

    `number` is that of its object, 0 when there are no rows. `sealed` is the Seal that this sync
    flushes. `schema` and `slices` stand until the file is made, `file` stands from then on.
    """

    segment_id: SegmentId
    partition_id: PartitionId
    version: Version
    number: int
    rows: int
    start: Position
    extends: Position | None
    sealed: Position | None
    schema: Schema | None = field(default=None, repr=False)
    slices: tuple[RowSlice, ...] = field(default=(), repr=False)
    file: FileRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletesSync:
    """What a sync does for the vchannel's deletes: `chunks` until their file is made."""

    number: int
    deletes: int
    extends: Position | None
    chunks: tuple[DeletedKeys, ...] = field(default=(), repr=False)
    file: FileRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPack:
    """One sync. All that it holds stands at or below `position`.

    `holders` are the entries that the channel checkpoint waits for until this sync is reported.
    `size_bytes` are those of the views, an estimate, and of the files once they are made. `left`
    are objects that are not known to stand, `attempt` counts the puts that failed.
    """

    key: SyncKey
    collection_id: CollectionId
    position: Position
    segments: tuple[SegmentSync, ...]
    deletes: DeletesSync | None
    holders: tuple[Position, ...]
    begun_s: float  # monotonic seconds
    size_bytes: int
    stage: Stage
    left: tuple[EncodedObject, ...] = field(default=(), repr=False)
    attempt: int = 0
    trouble: str = ""  # why the last put failed

    @property
    def number(self) -> int:
        """Its place in the order of the flowgraph's reports."""
        return self.key.number

    @property
    def messages(self) -> Iterator[HeldMessage]:
        """One for each chunk that is still in it."""
        for part in self.segments:
            for rows in part.slices:
                yield rows.message
        for deletes in self.deletes.chunks if self.deletes else ():
            yield deletes.message

    @property
    def flushed(self) -> tuple[SegmentId, ...]:
        """The segments that this sync flushes."""
        return tuple(p.segment_id for p in self.segments if p.sealed)


# ---- report -> data service --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckpointProposal:
    """Where the channel checkpoint may move, and the drops of partitions that it then passes."""

    checkpoint: Position
    dropped_partitions: tuple[PartitionId, ...] = ()
    dropped: bool = False
