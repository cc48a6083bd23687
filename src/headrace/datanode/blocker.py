"""What holds the checkpoint of a vchannel, in words.

**Owns** the sentence that `inspect` and the data service show. **Does not own** the rule
(`report.checkpoint`). A checkpoint that does not move always has a name: which segment, which sync,
since when, and what went wrong last.
"""

from headrace.datanode.growing.buffers import Buffers
from headrace.datanode.persist.order import Order, Stage, Sync
from headrace.datanode.report.queue import Queue
from headrace.model.position import Position

MB = 1_000_000


def words(buffers: Buffers, order: Order, queue: Queue, now: float) -> str:
    """The first entry that is not wholly stored and reported, and where it is; "" = none."""
    held: list[tuple[int, str]] = []

    def hold(first: Position | None, what: str) -> None:
        if first is not None:
            held.append((first.timestamp, what))

    for segment in buffers.segments.values():
        name = f"segment {segment.id}"
        since = f"{now - segment.since_s:.1f} s"
        hold(segment.first, f"{name}: {_size(segment.size_bytes)} buffered since {since}")
        if not segment.flushing:
            hold(segment.sealed, f"{name}: sealed, its flush is not cut yet")
    if buffers.deletes:
        since = f"{now - buffers.deletes_since_s:.1f} s"
        what = f"deletes: {_size(buffers.delete_bytes)} buffered since {since}"
        hold(buffers.deletes[0].position, what)
    for sync in order:
        seals = [
            buffers.segments[p.segment_id].sealed
            for p in sync.head.segments
            if p.flush and p.segment_id in buffers.segments
        ]
        for first in (sync.head.first_rows, sync.head.first_deletes, *seals):
            hold(first, _sync(sync, queue, now))
    if not held:
        sending = queue.sending
        return f"report failed: {sending.trouble}" if sending and sending.trouble else ""
    return min(held, key=lambda h: h[0])[1]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / MB:.1f} MB" if size_bytes >= MB // 10 else f"{size_bytes} bytes"


def _sync(sync: Sync, queue: Queue, now: float) -> str:
    names = [str(p.segment_id) for p in sync.head.segments]
    what = f"segment {', '.join(names)}" if names else "deletes"
    text = f"{what}: sync since {now - sync.head.begun_s:.1f} s"
    if sync.trouble:
        return f"{text}; put failed: {sync.trouble}"
    sending = queue.sending
    if sync.stage is not Stage.STORED:
        return f"{text}; {sync.stage}"
    if sending is None or sending.number != sync.head.number:
        return f"{text}; stored, its report waits for the one before"
    if sending.trouble:
        return f"{text}; report failed: {sending.trouble}"
    return f"{text}; {'reported, not answered' if sending.sent else 'its report is held'}"
