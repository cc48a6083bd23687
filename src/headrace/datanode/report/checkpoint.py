"""The channel checkpoint: how far all is stored and reported.

**Owns** the rule (CP-2): just below the first entry that is not wholly stored and reported, and how
drops of partitions are passed. **Does not own** who holds what (`growing`, `persist`) or reports.

"Just below" an entry is the position with the entry's message id, so that reading begins with its
message, and the timestamp below its own: everything that stands below the entry is done.

A dropped partition's rows are not stored any more, so the checkpoint may not stop between the first
of them and the drop: what lies there would be passed without being stored. It jumps over both.
"""

from collections.abc import Iterable, Iterator, Sequence
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


def waits_for_rows(rows: Iterable[Position]) -> Iterable[Position]:
    """The checkpoint waits for rows."""
    return rows


def waits_for_deletes(deletes: Iterable[Position]) -> Iterable[Position]:
    """The checkpoint waits for deletes."""
    return deletes


def waits_for_seals(seals: Iterable[Position]) -> Iterable[Position]:
    """The checkpoint waits for a Seal's flush (a TermStart's and a DDL's, too)."""
    return seals


def just_below(entry: Position) -> Position:
    """The highest position that has not passed an entry."""
    return replace(entry, timestamp=entry.timestamp - 1)


def proposal(consumed: Position, holders: Holders) -> CheckpointProposal:
    """Where the checkpoint may stand, all up to `consumed` being read."""
    checkpoint = _lowest(consumed, _holding(holders))
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


def _holding(holders: Holders) -> Iterator[Position]:
    yield from waits_for_rows(holders.rows)
    yield from waits_for_deletes(holders.deletes)
    yield from waits_for_seals(holders.seals)


def _lowest(position: Position, entries: Iterable[Position]) -> Position:
    for entry in entries:
        if position.passed(entry.timestamp):
            position = just_below(entry)
    return position
