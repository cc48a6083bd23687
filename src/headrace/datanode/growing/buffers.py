"""Holds rows, by segment, and deletes until they are cut; says which of them hold the checkpoint.

Seals and drops act here. Buffers hold views of messages, and the node's budget is told of each.
An entry costs O(1), but for a TermStart or DDL, which visits the growing segments once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from headrace.datanode.budget import Budget
from headrace.datanode.handoff import (
    DeletedKeys,
    HeldMessage,
    PartitionDropped,
    RowSlice,
    Sealed,
)
from headrace.model.channel import Position, VChannel
from headrace.model.errors import Corrupt
from headrace.model.ids import PartitionId, SegmentId, Version
from headrace.model.invariants import violated
from headrace.model.segment import SegmentState
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import Watch

MB = 1_000_000


@dataclass(slots=True)
class Segment:
    """One segment. `extends` is its checkpoint as of the last cut (None: nothing was cut yet),
    `sealed` where its Seal stands, `flushing` whether the last cut was its flush."""

    id: SegmentId
    partition_id: PartitionId
    version: Version
    start: Position
    extends: Position | None = None
    sealed: Position | None = None
    flushing: bool = False
    slices: list[RowSlice] = field(default_factory=list)
    rows: int = 0
    size_bytes: int = 0
    since_s: float = 0.0  # when the first slice came

    def add(self, rows: RowSlice, now: float) -> None:
        """Buffer rows. The segment must not be sealed: that is a fact of the log (SG-2)."""
        if not self.slices:
            self.since_s = now
        self.slices.append(rows)
        self.rows += rows.rows
        self.size_bytes += rows.size_bytes

    def cut(self, position: Position) -> None:
        """The rows were taken out; the segment checkpoint is now this position."""
        if self.extends is not None and position.timestamp < self.extends.timestamp:
            violated("CP-1", f"segment {self.id}: {self.extends} -> {position}")
        self.extends = position
        self.slices, self.rows, self.size_bytes = [], 0, 0

    @property
    def first(self) -> Position | None:
        """The first entry with rows in the buffer."""
        return self.slices[0].position if self.slices else None


class Buffers:
    """What one flowgraph has read and not yet cut. `budget` is the node's."""

    def __init__(self, watch: Watch, budget: Budget) -> None:
        self._vchannel: VChannel = watch.vchannel
        self._budget = budget
        self.segments: dict[SegmentId, Segment] = {}
        self.deletes: list[DeletedKeys] = []
        self.deletes_extend: Position | None = watch.deletes_checkpoint
        self.delete_bytes = 0
        self.deletes_since_s = 0.0
        self.sealed: dict[SegmentId, None] = {}  # their flush is not cut yet
        self.grown: dict[SegmentId, None] = {}  # got rows since the policy looked
        for s in watch.segments:
            if s.state in (SegmentState.GROWING, SegmentState.SEALED):
                start = s.start or watch.seek
                self.segments[s.segment_id] = Segment(
                    s.segment_id, s.partition_id, s.version, start, s.checkpoint
                )

    @property
    def size_bytes(self) -> int:
        """Of all rows and deletes in buffers."""
        return self.delete_bytes + sum(s.size_bytes for s in self.segments.values())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to cut."""
        return (
            not self.deletes
            and not self.sealed
            and not any(s.slices for s in self.segments.values())
        )

    # ---- what entries do ---------------------------------------------------------------------

    def add_rows(self, rows: RowSlice, now: float) -> None:
        """Buffer rows of a segment, which must be open; `Corrupt` when it cannot be."""
        segment = self.segments.get(rows.segment_id)
        if segment is None:
            if not rows.opens:
                self._corrupt(rows, "goes on here, but the watch did not name it")
            segment = Segment(rows.segment_id, rows.partition_id, rows.version, rows.position)
            self.segments[rows.segment_id] = segment
        elif segment.sealed is not None:
            self._corrupt(rows, f"was sealed at {segment.sealed.timestamp} (SG-2)")
        elif segment.version != rows.version:
            self._corrupt(rows, f"holds version {segment.version} (SC-1)")
        segment.add(rows, now)
        self.grown[rows.segment_id] = None
        self._budget.hold(rows.message)

    def add_deletes(self, deletes: DeletedKeys, now: float) -> None:
        """Buffer deletes."""
        if not self.deletes:
            self.deletes_since_s = now
        self.deletes.append(deletes)
        self.delete_bytes += deletes.size_bytes
        self._budget.hold(deletes.message)

    def seal(self, sealed: Sealed) -> None:
        """No more rows: for one segment (nothing if it is not known), or for all begun before."""
        if sealed.segment_id is not None:
            segment = self.segments.get(sealed.segment_id)
            chosen = [segment] if segment else []
        else:
            at = sealed.position.timestamp
            chosen = [s for s in self.segments.values() if s.start.timestamp < at]
        for segment in chosen:
            if segment.sealed is None:
                segment.sealed = sealed.position
                self.sealed[segment.id] = None

    def drop_partition(self, dropped: PartitionDropped) -> Position | None:
        """Forget a partition's segments; the first entry that was thereby forgotten."""
        gone = [
            s
            for s in self.segments.values()
            if s.partition_id == dropped.partition_id and not s.flushing
        ]
        forgotten = [p for s in gone for p in (s.first, s.sealed) if p is not None]
        for segment in gone:
            self._budget.drop(chunk.message for chunk in segment.slices)
            del self.segments[segment.id]
            self.sealed.pop(segment.id, None)
            self.grown.pop(segment.id, None)
        return min(forgotten, key=lambda p: p.timestamp, default=None)

    def forget(self) -> None:
        """Drop all buffers: the collection was dropped, or the flowgraph has ended."""
        self._budget.drop(self._messages())
        self.segments.clear()
        self.sealed.clear()
        self.grown.clear()
        self.deletes, self.delete_bytes = [], 0

    # ---- what reports do ---------------------------------------------------------------------

    def flushed(self, segment_id: SegmentId) -> None:
        """A flush is reported: the segment is no longer ours."""
        self.segments.pop(segment_id, None)

    # ---- what holds the checkpoint -----------------------------------------------------------

    def holders(self) -> Iterator[Position]:
        """The first rows of each segment, the first deletes, and Seals whose flush is not cut."""
        for segment in self.segments.values():
            if segment.slices:
                yield segment.slices[0].position
            if segment.sealed is not None and not segment.flushing:
                yield segment.sealed
        for deletes in self.deletes[:1]:
            yield deletes.position

    def blockers(self, now: float) -> Iterator[tuple[Timestamp, str]]:
        """The holders in words, for people."""
        for segment in self.segments.values():
            if segment.slices:
                size, since_s = size_text(segment.size_bytes), now - segment.since_s
                what = f"segment {segment.id}: {size} buffered since {since_s:.1f} s"
                yield segment.slices[0].position.timestamp, what
            if segment.sealed is not None and not segment.flushing:
                what = f"segment {segment.id}: sealed, its flush is not cut yet"
                yield segment.sealed.timestamp, what
        for deletes in self.deletes[:1]:
            size, since_s = size_text(self.delete_bytes), now - self.deletes_since_s
            yield deletes.position.timestamp, f"deletes: {size} buffered since {since_s:.1f} s"

    def _messages(self) -> Iterator[HeldMessage]:
        for segment in self.segments.values():
            for chunk in segment.slices:
                yield chunk.message
        for deletes in self.deletes:
            yield deletes.message

    def _corrupt(self, rows: RowSlice, what: str) -> None:
        raise Corrupt(
            f"segment {rows.segment_id} {what} (rows at {rows.position.timestamp})",
            channel=self._vchannel,
        )


def size_text(size_bytes: int) -> str:
    """Bytes for people."""
    return f"{size_bytes / MB:.1f} MB" if size_bytes >= MB // 10 else f"{size_bytes} bytes"
