"""One report at a time, in order, the same until it is answered."""

import pytest

from headrace.datanode.handoff import (
    CheckpointProposal,
    SegmentSync,
    Stage,
    SyncKey,
    SyncPack,
)
from headrace.datanode.report.queue import ReportQueue
from headrace.model.channel import Position
from headrace.rpc.messages import Watch


def at(timestamp: int) -> Position:
    return Position("p", timestamp // 100, timestamp)


WATCH = Watch(
    vchannel="p_1v0",
    epoch=3,
    collection_id=1,
    seek=at(100),
    deletes_checkpoint=None,
    schemas=(),
    segments=(),
)


def queue(proposed: int = 500, most: int = 2) -> ReportQueue:
    return ReportQueue(WATCH, 1, most, lambda _: CheckpointProposal(at(proposed)))


def stored(count: int) -> SyncPack:
    parts = tuple(
        SegmentSync(
            segment_id=i,
            partition_id=1,
            version=1,
            number=i,
            rows=1,
            start=at(150),
            extends=None,
            sealed=None,
        )
        for i in range(1, count + 1)
    )
    return SyncPack(
        key=SyncKey("p_1v0", 3, 7),
        collection_id=1,
        position=at(400),
        segments=parts,
        deletes=None,
        holders=(at(150),),
        begun_s=0.0,
        size_bytes=1,
        stage=Stage.STORED,
    )


def test_whole_segments_a_request_and_the_checkpoint_in_the_last() -> None:
    found = queue()
    pack = stored(5)
    found.begin(pack)
    moves, segments = [], []
    done = None
    while found.sending is not None:
        request = found.sending.request
        moves.append((request.channel_extends.timestamp, request.channel_checkpoint.timestamp))
        segments.append([s.segment_id for s in request.segments])
        done = found.answered()
    assert segments == [[1, 2], [3, 4], [5]]
    assert moves == [(100, 100), (100, 100), (100, 500)]
    assert done is pack
    assert found.checkpoint == at(500)


def test_a_repeat_is_the_same_although_more_could_be_said_by_now() -> None:
    proposed = [300]
    found = ReportQueue(WATCH, 1, 2, lambda _: CheckpointProposal(at(proposed[0])))
    found.begin(stored(1))
    assert found.sending is not None
    first = found.sending.request
    proposed[0] = 900
    found.failed("no answer")
    assert found.sending.request is first
    assert (found.sending.attempt, found.state(7)) == (1, "report failed: no answer")


def test_a_checkpoint_that_would_move_back_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="CP-1"):
        queue(proposed=50).begin(stored(1))
    with pytest.raises(AssertionError, match="CP-1"):
        queue().moved(at(50))


def test_what_is_on_its_way_is_awaited_and_the_rest_given_up() -> None:
    found = queue()
    found.begin(stored(5))
    assert found.sending is not None
    found.sending.sent = True
    found.forget()
    assert not found.idle
    assert found.answered() is None
    assert found.idle


def test_what_was_never_sent_is_given_up_at_once() -> None:
    found = queue()
    found.begin(stored(5))
    found.forget()
    assert found.idle


def test_a_sync_without_segments_is_one_request() -> None:
    found = queue()
    found.begin(stored(0))
    assert found.answered() is not None
