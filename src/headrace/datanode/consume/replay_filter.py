"""Drops what a flowgraph reads again although it is stored already.

A flowgraph begins to read at the channel checkpoint, which lies below the checkpoints of most
segments. Without this filter their rows would be stored twice (DL-1).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from headrace.datanode.handoff import VChannelEntry
from headrace.model.channel import Position
from headrace.model.entry import Rows
from headrace.model.ids import SegmentId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import Watch


class ReplayFilter:
    """The filter of one flowgraph, made from its watch."""

    def __init__(self, watch: Watch) -> None:
        deletes = watch.deletes_checkpoint
        self._deletes_stored: Timestamp = deletes.timestamp if deletes else 0
        self._rows_stored: dict[SegmentId, Timestamp] = {
            s.segment_id: s.checkpoint.timestamp for s in watch.segments if s.checkpoint
        }
        self._dropped_partitions = frozenset(watch.dropped_partitions)
        self._until = max(self._rows_stored.values(), default=0)

    def new(self, entries: Iterable[VChannelEntry]) -> Iterator[VChannelEntry]:
        """What is new, in its order; an entry that is new in part loses the other part."""
        for entry in entries:
            kept = self._rows(entry) if isinstance(entry, Rows) else entry
            if kept is not None:
                yield kept

    def _rows(self, entry: Rows) -> Rows | None:
        ranges, deletes = entry.segments, entry.deletes
        if entry.partition_id in self._dropped_partitions:
            ranges = ()
        elif entry.timestamp <= self._until:
            stored = self._rows_stored
            ranges = tuple(r for r in ranges if entry.timestamp > stored.get(r.segment_id, 0))
        if entry.timestamp <= self._deletes_stored:
            deletes = 0
        if not ranges and not deletes:
            return None
        if len(ranges) == len(entry.segments) and deletes == entry.deletes:
            return entry
        return replace(entry, segments=ranges, deletes=deletes)

    def let_go(self, segment_ids: Iterable[SegmentId], consumed: Position) -> None:
        """These segments are flushed: forget those whose rows have all been read by now."""
        for segment_id in segment_ids:
            if consumed.passed(self._rows_stored.get(segment_id, 0)):
                self._rows_stored.pop(segment_id, None)
