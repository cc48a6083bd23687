"""A segment of one vchannel that still takes rows or waits for its flush, with its buffer."""

from dataclasses import dataclass, field

from headrace.datanode.handoff import RowSlice
from headrace.model.ids import PartitionId, SegmentId, Version
from headrace.model.invariants import violated
from headrace.model.position import Position


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
