"""Says where the channel checkpoint may stand: below the first entry that is not wholly reported.

"Just below" an entry is the position with the entry's message id, so that reading begins with its
message, and the timestamp below its own: everything that stands below the entry is done (CP-2).

A dropped partition's rows are not stored any more, so the checkpoint may not stop between the first
of them and the drop: what lies there would be passed without being stored. It jumps over both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from headrace.datanode.handoff import CheckpointProposal
from headrace.model.channel import Position
from headrace.model.ids import PartitionId


@dataclass(frozen=True, slots=True)
class PendingDrop:
    """The drop of a partition that is not reported, and the first entry forgotten with it."""

    partition_id: PartitionId
    position: Position
    forgotten: Position | None


def just_below(entry: Position) -> Position:
    """The highest position that has not passed an entry."""
    return replace(entry, timestamp=entry.timestamp - 1)


def proposal(
    consumed: Position, holders: Iterable[Position], drops: Sequence[PendingDrop]
) -> CheckpointProposal:
    """Where the checkpoint may stand, all up to `consumed` being read. `holders` are entries that
    are not cut, or cut and not reported: rows, deletes, and Seals whose segments are to be flushed
    (those of a TermStart and a DDL, too)."""
    checkpoint = _lowest(consumed, holders)
    while True:
        stuck = [
            d.forgotten
            for d in drops
            if d.forgotten is not None
            and not checkpoint.passed(d.position.timestamp)
            and checkpoint.passed(d.forgotten.timestamp)
        ]
        if not stuck:
            break
        checkpoint = _lowest(checkpoint, stuck)
    passed = tuple(d.partition_id for d in drops if checkpoint.passed(d.position.timestamp))
    return CheckpointProposal(checkpoint, passed)


def _lowest(position: Position, entries: Iterable[Position]) -> Position:
    for entry in entries:
        if position.passed(entry.timestamp):
            position = just_below(entry)
    return position
