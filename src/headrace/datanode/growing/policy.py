"""Decides which buffers are to be synced, and why.

The reasons are size, age, a Seal, a timestamp that a caller waits for, memory and a drain. Deletes
go along with every sync: they are few, and the channel checkpoint waits for them as well.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.datanode.growing.buffers import Buffers, Segment
from headrace.model.ids import SegmentId
from headrace.model.timestamp import Timestamp


@dataclass(frozen=True, slots=True)
class Due:
    """What to cut now; falsy when nothing is due."""

    segments: tuple[SegmentId, ...] = ()
    deletes: bool = False

    def __bool__(self) -> bool:
        return bool(self.segments) or self.deletes


def after_entries(buffers: Buffers, sync_bytes: int) -> Due:
    """By size and by Seal. Looks only at segments to which something happened."""
    full = [i for i in buffers.grown if buffers.segments[i].size_bytes >= sync_bytes]
    buffers.grown.clear()
    deletes = buffers.delete_bytes >= sync_bytes
    return Due(tuple(dict.fromkeys((*buffers.sealed, *full))), deletes)


def overdue(buffers: Buffers, now: float, age_s: float, sync_bytes: int) -> Due:
    """By age (rows or deletes that came at least `age_s` ago), and all that `after_entries` found
    due when it could not be cut."""
    old = _with_rows(
        s
        for s in buffers.segments.values()
        if now - s.since_s >= age_s or s.size_bytes >= sync_bytes
    )
    aged = now - buffers.deletes_since_s >= age_s or buffers.delete_bytes >= sync_bytes
    return Due(tuple(dict.fromkeys((*buffers.sealed, *old))), bool(buffers.deletes) and aged)


def at_or_below(buffers: Buffers, timestamp: Timestamp) -> Due:
    """What holds the channel checkpoint below this timestamp."""
    held = _with_rows(
        s for s in buffers.segments.values() if s.first and s.first.timestamp <= timestamp
    )
    deletes = buffers.deletes
    return Due(held, bool(deletes) and deletes[0].position.timestamp <= timestamp)


def everything(buffers: Buffers) -> Due:
    """All rows, deletes and flushes: a drain."""
    rows = _with_rows(buffers.segments.values())
    return Due(tuple(dict.fromkeys((*buffers.sealed, *rows))), bool(buffers.deletes))


@dataclass(frozen=True, slots=True)
class HeldBuffer:
    """One buffer that could be cut to free memory. `segment_id` None: the deletes."""

    segment_id: SegmentId | None
    size_bytes: int
    first: Timestamp  # of its oldest entry: old entries keep old messages in memory


def held(buffers: Buffers) -> Iterator[HeldBuffer]:
    """All buffers with something in them."""
    for segment in buffers.segments.values():
        if segment.first is not None:
            yield HeldBuffer(segment.id, segment.size_bytes, segment.first.timestamp)
    for deletes in buffers.deletes[:1]:
        yield HeldBuffer(None, buffers.delete_bytes, deletes.position.timestamp)


def for_memory(buffers: Buffers, choice: HeldBuffer) -> Due:
    """Cut one buffer, if it still has something in it: deletes go along with every sync."""
    if choice.segment_id is None:
        return Due((), bool(buffers.deletes))
    segment = buffers.segments.get(choice.segment_id)
    return Due((choice.segment_id,)) if segment is not None and segment.slices else Due()


def _with_rows(segments: Iterable[Segment]) -> tuple[SegmentId, ...]:
    return tuple(s.id for s in segments if s.slices)
