"""The channel checkpoint: how far all is stored and reported.

**Owns** the rule (CP-2): just below the first entry that is not wholly stored and reported, and how
drops of partitions are passed. **Does not own** who holds what (`growing`, `persist`) or reports.

"Just below" an entry is the position with the entry's message id, so that reading begins with its
message, and the timestamp below its own: everything that stands below the entry is done.

A dropped partition's rows are not stored any more, so the checkpoint may not stop between the first
of them and the drop: what lies there would be passed without being stored. It jumps over both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from headrace.datanode.handoff import CheckpointProposal
from headrace.model.ids import PartitionId
from headrace.model.position import Position


@dataclass(frozen=True, slots=True)
class PendingDrop:
    """The drop of a partition that is not reported, and the first entry forgotten with it."""

    partition_id: PartitionId
    position: Position
    forgotten: Position | None


@dataclass(frozen=True, slots=True)
class Holders:
    """Entries that hold the checkpoint: not yet cut, or cut and not yet reported."""

    rows: tuple[Position, ...]
    deletes: tuple[Position, ...]
    seals: tuple[Position, ...]
    drops: tuple[PendingDrop, ...] = ()


def just_below(entry: Position) -> Position:
    """The highest position that has not passed an entry."""
    return replace(entry, timestamp=entry.timestamp - 1)


def proposal(consumed: Position, holders: Holders) -> CheckpointProposal:
    """Where the checkpoint may stand, all up to `consumed` being read."""
    # CP-2: the checkpoint waits for rows, for deletes, and for the flush of whatever is sealed
    checkpoint = _lowest(consumed, holders.rows)
    checkpoint = _lowest(checkpoint, holders.deletes)
    checkpoint = _lowest(checkpoint, holders.seals)
    drops: Sequence[PendingDrop] = holders.drops
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
