"""The segments of one vchannel that still take rows or wait for their flush, and their buffers.

**Owns** each segment's rows in memory, its checkpoint as of the last cut, and its Seal. **Does not
own** when a sync is due (`policy`) or what is made of a cut (`cut`).
"""

from dataclasses import dataclass, field

from headrace.datanode.handoff import SegmentRows
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
    chunks: list[SegmentRows] = field(default_factory=list)
    rows: int = 0
    size_bytes: int = 0
    since_s: float = 0.0  # when the first chunk came

    def add(self, chunk: SegmentRows, now: float) -> None:
        """Buffer rows. The segment must not be sealed: that is a fact of the log (SG-2)."""
        if not self.chunks:
            self.since_s = now
        self.chunks.append(chunk)
        self.rows += chunk.rows
        self.size_bytes += chunk.size_bytes

    def cut(self, position: Position) -> tuple[SegmentRows, ...]:
        """Take the rows out; the segment checkpoint is now this position."""
        if self.extends is not None and position.timestamp < self.extends.timestamp:
            violated("CP-1", f"segment {self.id}: {self.extends} -> {position}")
        chunks = tuple(self.chunks)
        self.extends = position
        self.chunks, self.rows, self.size_bytes = [], 0, 0
        return chunks

    @property
    def first(self) -> Position | None:
        """The first entry with rows in the buffer."""
        return self.chunks[0].position if self.chunks else None
