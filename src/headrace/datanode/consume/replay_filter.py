"""What of the log is new to a vchannel's flowgraph: recovery's filter.

**Owns** the rules that drop what is stored already: rows at or below their segment's checkpoint,
deletes at or below the delete checkpoint, Seals of what is flushed. **Does not own** the seek
(`fan`), or segments that the flowgraph itself writes (`growing`).

The channel checkpoint, where a flowgraph begins to read, lies below the checkpoints of most
segments; without this filter their rows would be stored twice (DL-1).
"""

from collections.abc import Iterable

from headrace.datanode.handoff import Entries, HeldMessage, Taken, VChannelEntry
from headrace.model.channel import PChannel
from headrace.model.entry import Rows, Seal
from headrace.model.entry import SegmentRows as RowRange
from headrace.model.ids import MessageId, SegmentId
from headrace.model.position import Position
from headrace.model.segment import SegmentState
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import Watch

ENDED = (SegmentState.FLUSHED, SegmentState.DROPPED)


def rows_are_new(checkpoint: Position | None, timestamp: Timestamp) -> bool:
    """Rows at or below the segment's checkpoint are dropped."""
    return checkpoint is None or timestamp > checkpoint.timestamp


def deletes_are_new(checkpoint: Position | None, timestamp: Timestamp) -> bool:
    """Deletes at or below the delete checkpoint are dropped."""
    return checkpoint is None or timestamp > checkpoint.timestamp


class Fresh:
    """The filter of one flowgraph, made from its watch."""

    def __init__(self, watch: Watch) -> None:
        self._pchannel: PChannel = watch.seek.pchannel
        self._deletes = watch.deletes_checkpoint
        self._checkpoints: dict[SegmentId, Position] = {}
        self._ended: dict[SegmentId, None] = {}
        self._dropped_partitions = frozenset(watch.dropped_partitions)
        for segment in watch.segments:
            if segment.checkpoint is not None:
                self._checkpoints[segment.segment_id] = segment.checkpoint
            if segment.state in ENDED:
                self._ended[segment.segment_id] = None
        self._until = max((c.timestamp for c in self._checkpoints.values()), default=0)

    def of(
        self, message_id: MessageId, entries: Iterable[VChannelEntry], message: HeldMessage
    ) -> Entries:
        """What of a message's entries is new; entries keep their order."""
        taken = []
        for entry in entries:
            position = Position(self._pchannel, message_id, entry.timestamp)
            if isinstance(entry, Rows):
                kept = self._rows(entry, position)
                if kept is not None:
                    taken.append(kept)
            elif not isinstance(entry, Seal) or entry.segment_id not in self._ended:
                taken.append(Taken(position, entry))
        return Entries(tuple(taken), message)

    def _rows(self, entry: Rows, position: Position) -> Taken | None:
        timestamp = entry.timestamp
        if entry.partition_id in self._dropped_partitions:
            ranges: tuple[RowRange, ...] = ()
        elif timestamp > self._until:
            ranges = entry.segments
        else:
            ranges = tuple(
                r
                for r in entry.segments
                if rows_are_new(self._checkpoints.get(r.segment_id), timestamp)
            )
        deletes = entry.deletes > 0 and deletes_are_new(self._deletes, timestamp)
        return Taken(position, entry, ranges, deletes) if ranges or deletes else None
