"""Which buffers are to be synced, and why.

**Owns** the reasons: size, age, a Seal, a timestamp that somebody waits for, memory, a drain.
**Does not own** the cut itself (`cut`).

Deletes go along with every sync: they are few, and the channel checkpoint waits for them as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.datanode.growing.buffers import Buffers
from headrace.datanode.growing.segments import Segment
from headrace.model.ids import SegmentId
from headrace.model.position import Position
from headrace.model.timestamp import Timestamp


@dataclass(frozen=True, slots=True)
class Due:
    """What to cut now; falsy when nothing is due."""

    segments: tuple[SegmentId, ...] = ()
    deletes: bool = False

    def __bool__(self) -> bool:
        return bool(self.segments) or self.deletes


def may_flush(sealed: Position | None) -> bool:
    """A flush waits for the Seal: the last sync of a segment comes after its last row."""
    return sealed is not None


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
    """Whatever holds the channel checkpoint below this timestamp."""
    held = _with_rows(
        s for s in buffers.segments.values() if s.first and s.first.timestamp <= timestamp
    )
    first = next(buffers.first_deletes(), None)
    return Due(held, first is not None and first.timestamp <= timestamp)


def everything(buffers: Buffers) -> Due:
    """All rows, deletes and flushes: a drain."""
    rows = _with_rows(buffers.segments.values())
    return Due(tuple(dict.fromkeys((*buffers.sealed, *rows))), bool(buffers.deletes))


def largest(buffers: Buffers) -> tuple[int, SegmentId | None]:
    """Bytes of the largest buffer and its segment (None = the deletes)."""
    best: tuple[int, SegmentId | None] = (buffers.delete_bytes, None)
    for segment in buffers.segments.values():
        if segment.size_bytes > best[0]:
            best = segment.size_bytes, segment.id
    return best


def oldest(buffers: Buffers) -> tuple[Timestamp, SegmentId | None] | None:
    """Timestamp of the oldest buffered entry and its segment (None = the deletes); None when there
    is nothing. Old entries keep old messages in memory."""
    found: list[tuple[Timestamp, SegmentId | None]] = [
        (s.first.timestamp, s.id) for s in buffers.segments.values() if s.first
    ]
    found += [(p.timestamp, None) for p in buffers.first_deletes()]
    return min(found, key=lambda f: f[0], default=None)


def _with_rows(segments: Iterable[Segment]) -> tuple[SegmentId, ...]:
    return tuple(s.id for s in segments if s.chunks)
