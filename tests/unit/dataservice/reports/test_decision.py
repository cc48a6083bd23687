"""What becomes of a report, given what stands."""

from dataclasses import replace

import pytest
from support.world.facts import (
    PARTITION,
    deletes_report,
    insert_file,
    position,
    report,
    segment_report,
    vchannels_of,
)

from headrace.dataservice.reports.decision import (
    Already,
    Commit,
    decide,
    decide_move,
)
from headrace.dataservice.state.channel_state import Stored, VChannelState
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.records import (
    BundleRecord,
    CheckpointRecord,
    DeletesRecord,
    EpochRecord,
    SegmentRecord,
)
from headrace.model.errors import Conflict, Fenced, Invalid
from headrace.model.segment import SegmentState
from headrace.rpc.messages import CheckpointMove, SaveBinlogPathsRequest

KEYS = Keys()
V = vchannels_of(7, 1)[0]


def channel(*segments: SegmentRecord, at: int = 1, **more: object) -> VChannelState:
    start = position(V, 1)
    return VChannelState(
        vchannel=V,
        revision=50,
        epoch=Stored(KEYS.epoch(V), 10, EpochRecord(epoch=3, server_id=1, node_name="n")),
        checkpoint=Stored(
            KEYS.checkpoint(V), 20, CheckpointRecord(position=position(V, at), start=start)
        ),
        segments={s.id: Stored(KEYS.segment(V, s.id), 30 + s.id, s) for s in segments},
        **more,  # type: ignore[arg-type]
    )


def segment(
    segment_id: int,
    upto: int,
    state: SegmentState = SegmentState.GROWING,
    partition_id: int = PARTITION,
) -> SegmentRecord:
    return SegmentRecord(
        id=segment_id,
        collection_id=7,
        partition_id=partition_id,
        vchannel=V,
        version=1,
        state=state,
        rows=10,
        start=position(V, 1),
        checkpoint=position(V, upto),
        files=(insert_file(V, segment_id, 2, segment_id, upto),),
    )


def committed(request: SaveBinlogPathsRequest, before: VChannelState) -> Commit:
    decision = decide(request, before, KEYS)
    assert isinstance(decision, Commit)
    return decision


def test_files_and_checkpoint_go_in_one_transaction_that_compares_all_it_extends() -> None:
    before = channel(segment(11, 4))
    request = report(
        V, 3, (1, 6), segment_report(V, 11, 3, 1, (4, 6)), segment_report(V, 12, 3, 2, (None, 6)),
        deletes=deletes_report(V, 3, 3, (None, 6)),
    )  # fmt: skip
    commit = committed(request, before)
    assert set(commit.compare) == {
        ModRevisionIs(KEYS.epoch(V), 10),
        ModRevisionIs(KEYS.checkpoint(V), 20),
        ModRevisionIs(KEYS.segment(V, 11), 41),
        ModRevisionIs(KEYS.segment(V, 12), 0),
        ModRevisionIs(KEYS.deletes(V), 0),
    }
    assert {o.key for o in commit.operations if isinstance(o, Put)} == {
        KEYS.segment(V, 11),
        KEYS.segment(V, 12),
        KEYS.delta(V, "3-3"),
        KEYS.deletes(V),
        KEYS.checkpoint(V),
    }
    after = commit.settled(60)
    known = after.segment(11)
    assert known is not None and known.rows == 20 and len(known.files) == 2
    assert after.checkpoint == Stored(
        KEYS.checkpoint(V), 60, replace(before.checkpoint.value, position=position(V, 6))
    )
    assert after.segments[11].revision == after.segments[12].revision == 60


def test_a_repeat_of_what_stands_is_done() -> None:
    request = report(V, 3, (1, 6), segment_report(V, 12, 3, 2, (None, 6), flushed=True))
    after = committed(request, channel()).settled(60)
    assert decide(request, after, KEYS) == Already("done")


def test_a_repeat_is_done_when_the_segment_was_bundled_meanwhile() -> None:
    flushed = segment(12, 6, SegmentState.FLUSHED)
    bundle = Stored(KEYS.bundle(V, 1), 70, BundleRecord(segments=(flushed,)))
    request = report(V, 3, (1, 6), segment_report(V, 12, 3, 2, (None, 6), flushed=True))
    assert decide(request, channel(at=6, bundles={bundle.key: bundle}), KEYS) == Already("done")


def test_a_report_of_another_epoch_or_process_is_fenced() -> None:
    for request in (report(V, 2, (1, 2)), report(V, 4, (1, 2)), report(V, 3, (1, 2), server_id=9)):
        with pytest.raises(Fenced):
            decide(request, channel(), KEYS)


@pytest.mark.parametrize(
    "request_",
    [
        report(V, 3, (2, 3)),
        report(V, 3, (1, 6), segment_report(V, 11, 3, 1, (3, 6))),
        report(V, 3, (1, 6), segment_report(V, 11, 3, 1, (None, 6))),
        report(V, 3, (1, 6), segment_report(V, 13, 3, 1, (4, 6))),
        report(V, 3, (1, 6), deletes=deletes_report(V, 3, 3, (4, 6))),
    ],
)
def test_what_does_not_extend_what_stands_is_a_conflict(request_: SaveBinlogPathsRequest) -> None:
    with pytest.raises(Conflict):
        decide(request_, channel(segment(11, 4)), KEYS)


def test_a_report_of_which_only_a_part_stands_is_a_conflict() -> None:
    request = report(V, 3, (1, 6), segment_report(V, 11, 3, 1, (4, 6)))
    with pytest.raises(Conflict):
        decide(request, channel(segment(11, 4), at=6), KEYS)


def test_a_flushed_segment_gains_nothing() -> None:
    with pytest.raises(Conflict):
        decide(
            report(V, 3, (1, 6), segment_report(V, 11, 3, 1, (4, 6))),
            channel(segment(11, 4, SegmentState.FLUSHED)),
            KEYS,
        )


def test_a_flush_without_rows_is_told_apart_from_its_repeat() -> None:
    empty = replace(segment_report(V, 11, 3, 1, (4, 4), flushed=True), files=(), rows=0)
    request = report(V, 3, (1, 5), empty)
    after = committed(request, channel(segment(11, 4))).settled(60)
    record = after.segment(11)
    assert record is not None and record.state is SegmentState.FLUSHED
    assert decide(request, after, KEYS) == Already("done")


def test_a_report_for_a_dropped_segment_is_forgotten() -> None:
    dropped = segment(11, 4, SegmentState.DROPPED)
    request = report(V, 3, (1, 1), segment_report(V, 11, 3, 1, (4, 6)))
    assert decide(request, channel(dropped), KEYS) == Already("forgotten")


def test_what_else_is_in_a_report_with_a_dropped_segment_is_applied() -> None:
    dropped = segment(11, 4, SegmentState.DROPPED)
    request = report(
        V, 3, (1, 6), segment_report(V, 11, 3, 1, (4, 6)), segment_report(V, 12, 3, 2, (None, 6))
    )
    after = committed(request, channel(dropped)).settled(60)
    assert after.segment(11) == dropped
    assert after.segment(12) is not None
    assert after.checkpoint.value.position == position(V, 6)


def test_the_checkpoint_that_passes_the_drop_drops_all_and_ends_the_epoch() -> None:
    before = channel(segment(11, 4), segment(12, 4, SegmentState.FLUSHED))
    request = report(V, 3, (1, 9), dropped=True)
    after = committed(request, before).settled(60)
    assert after.epoch.value == EpochRecord(epoch=4, server_id=0, ended=True)
    assert after.checkpoint.value.dropped
    assert [s.state for s in after.all_segments()] == [SegmentState.DROPPED] * 2
    assert decide(request, after, KEYS) == Already("done")
    late = report(V, 3, (1, 6), segment_report(V, 11, 3, 1, (4, 6)))
    assert decide(late, after, KEYS) == Already("forgotten")
    older = report(V, 2, (1, 6), segment_report(V, 11, 2, 1, (4, 6)))
    with pytest.raises(Fenced):
        decide(older, after, KEYS)


def test_a_drop_needs_one_transaction_however_many_segments_there_are() -> None:
    before = channel(*(segment(n, 4, SegmentState.FLUSHED) for n in range(11, 511)))
    commit = committed(report(V, 3, (1, 9), dropped=True), before)
    assert len(commit.operations) <= 127 and len(commit.compare) <= 127
    after = commit.settled(60)
    assert not list(after.live_segments())


def test_the_drop_of_a_partition_drops_its_segments_only() -> None:
    before = channel(segment(11, 4, partition_id=71), segment(12, 4))
    request = report(V, 3, (1, 9), dropped_partitions=(71,))
    after = committed(request, before).settled(60)
    assert [s.id for s in after.live_segments()] == [12]
    assert after.epoch.value.epoch == 3 and not after.checkpoint.value.dropped
    assert decide(request, after, KEYS) == Already("done")


def test_a_report_that_contradicts_itself_is_invalid() -> None:
    twice = segment_report(V, 12, 3, 2, (None, 6))
    foreign = replace(twice, files=(insert_file(V, 12, 2, 2, 6),))
    other = replace(twice, files=(insert_file(V, 13, 3, 2, 6),))
    still = replace(twice, extends=twice.checkpoint)
    many = [segment_report(V, n, 3, n, (None, 6)) for n in range(200)]
    for request in (
        report(V, 3, (6, 1)),
        report(V, 3, (1, 6), twice, twice),
        report(V, 3, (1, 6), foreign),
        report(V, 3, (1, 6), other),
        report(V, 3, (1, 6), still),
        report(V, 3, (1, 6), segment_report(V, 12, 3, 2, (7, 6))),
        report(V, 3, (1, 6), *many),
    ):
        with pytest.raises(Invalid):
            decide(request, channel(), KEYS)


def test_deletes_extend_the_delete_checkpoint() -> None:
    stored = Stored(KEYS.deletes(V), 33, DeletesRecord(checkpoint=position(V, 4), rows=5))
    request = report(V, 3, (1, 6), deletes=deletes_report(V, 3, 3, (4, 6)))
    after = committed(request, channel(deletes=stored)).settled(60)
    assert after.deletes is not None
    assert after.deletes.value == DeletesRecord(checkpoint=position(V, 6), rows=6)


def move(epoch: int, extends: int, checkpoint: int) -> CheckpointMove:
    return CheckpointMove(
        vchannel=V,
        epoch=epoch,
        extends=position(V, extends),
        checkpoint=position(V, checkpoint),
    )


def test_an_idle_checkpoint_moves_is_done_or_is_left_out() -> None:
    decision = decide_move(move(3, 1, 5), 1, channel())
    assert isinstance(decision, tuple)
    put, after = decision
    assert put.key == KEYS.checkpoint(V)
    assert after.checkpoint.value.position == position(V, 5)
    assert decide_move(move(3, 1, 5), 1, channel(at=5)) == Already("done")
    for left_out in (move(2, 1, 5), move(3, 2, 5)):
        assert decide_move(left_out, 1, channel()) is None
    assert decide_move(move(3, 1, 5), 2, channel()) is None
