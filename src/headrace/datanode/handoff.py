"""What the stages of a flowgraph hand on, in the order of the data path.

**Owns** the values between the stages: Entries, SegmentRows (with what else an entry can say),
SyncPack, EncodedPack, StoredPack, CheckpointProposal. **Does not own** what any stage does with
them. Rows are views of the message they came in, from here to the file: nobody copies them.

`HeldMessage` is the one mutable value: it counts who still looks into a message of the log, since a
view of one row keeps all of its message in memory. `growing.budget` does the sums.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from headrace.model.channel import VChannel
from headrace.model.entry import Body, Ddl, Rows, Seal, TermStart
from headrace.model.entry import SegmentRows as RowRange
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
from headrace.model.position import Position
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
    """A message in memory: how many look into it, and how many of these are not being written."""

    size_bytes: int
    holders: int = 0
    waiting: int = 0


# ---- consume -> dispatch -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry and what of it is new: the row ranges and deletes that are not yet stored."""

    position: Position
    entry: VChannelEntry = field(repr=False)
    ranges: tuple[RowRange, ...] = ()
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class Entries:
    """The new entries of one message that concern one vchannel, in order."""

    taken: tuple[Taken, ...]
    message: HeldMessage = field(repr=False)


# ---- dispatch -> growing -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRows:
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


Dispatched: TypeAlias = SegmentRows | DeletedKeys | Sealed | PartitionDropped | CollectionDropped


# ---- growing -> pack ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPart:
    """What a sync does for one segment, without the rows. `number` is that of its object, 0 when
    there are no rows. The segment checkpoint moves from `extends` (None: the segment is new) to the
    pack's position."""

    segment_id: SegmentId
    partition_id: PartitionId
    version: Version
    number: int
    rows: int
    start: Position
    extends: Position | None
    flush: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletesPart:
    """What a sync does for the vchannel's deletes, without them."""

    number: int
    deletes: int
    extends: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncHead:
    """A sync without its rows: what is kept until it is reported.

    `number` counts the syncs of a flowgraph. All it holds stands at or below `position`.
    `first_rows` and `first_deletes` are the positions of the first entries in it, None = none.
    """

    number: int
    position: Position
    segments: tuple[SegmentPart, ...]
    deletes: DeletesPart | None
    first_rows: Position | None
    first_deletes: Position | None
    begun_s: float  # monotonic seconds

    @property
    def has_files(self) -> bool:
        """Whether anything is to be stored."""
        return self.deletes is not None or any(p.number for p in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPack:
    """Frozen rows and deletes with their positions, handed to the writer.

    `rows` and `schemas` are by segment. `size_bytes` are those of the views, an estimate of the
    files to come.
    """

    collection_id: CollectionId
    vchannel: VChannel
    epoch: Epoch
    head: SyncHead
    rows: dict[SegmentId, tuple[SegmentRows, ...]] = field(repr=False)
    schemas: dict[SegmentId, Schema] = field(repr=False)
    deletes: tuple[DeletedKeys, ...] = field(repr=False)
    size_bytes: int

    @property
    def messages(self) -> tuple[HeldMessage, ...]:
        """One for each chunk."""
        held = [chunk.message for chunks in self.rows.values() for chunk in chunks]
        return (*held, *(chunk.message for chunk in self.deletes))


# ---- pack -> persist ---------------------------------------------------------------------------


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
class EncodedPack:
    """The files of a sync: objects, and what meta will say of them."""

    number: int
    objects: tuple[EncodedObject, ...]
    files: dict[SegmentId, FileRef]
    delta: FileRef | None

    @property
    def size_bytes(self) -> int:
        """Of all objects."""
        return sum(o.size_bytes for o in self.objects)

    @property
    def view_bytes(self) -> int:
        """How many of them are views of messages."""
        return sum(o.view_bytes for o in self.objects)


# ---- persist -> report -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredPack:
    """A sync whose objects all stand; it is reported in the order of its number."""

    head: SyncHead
    files: dict[SegmentId, FileRef]
    delta: FileRef | None


# ---- report -> data service --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckpointProposal:
    """Where the channel checkpoint may move, and the drops of partitions that it then passes."""

    checkpoint: Position
    dropped_partitions: tuple[PartitionId, ...] = ()
    dropped: bool = False
