"""Recovery's filter: rows by segment checkpoint, deletes by delete checkpoint, Seals by state."""

from support.players.datanode import EntryMaker, at, vchannel

from headrace.datanode.consume.replay_filter import Fresh
from headrace.datanode.handoff import HeldMessage, Taken
from headrace.model.entry import Rows, Seal, SegmentRows, TermStart
from headrace.rpc.messages import Watch, WatchedSegment


def watched(segment_id: int, state: str, checkpoint: str) -> WatchedSegment:
    return WatchedSegment(
        segment_id=segment_id,
        partition_id=10,
        version=1,
        state=state,
        start=at("1.01"),
        checkpoint=at(checkpoint),
    )


def fresh(*segments: WatchedSegment, deletes: str = "0.01", dropped: tuple[int, ...] = ()) -> Fresh:
    watch = Watch(
        vchannel=vchannel("a"),
        epoch=1,
        collection_id=1,
        seek=at("1.00"),
        deletes_checkpoint=at(deletes),
        schemas=(),
        segments=segments,
        dropped_partitions=dropped,
    )
    return Fresh(watch)


def taken(filter_: Fresh, *texts: str, message_id: int = 2) -> tuple[Taken, ...]:
    maker = EntryMaker()
    made = [maker.make(t, 100 * message_id + i) for i, t in enumerate(texts, 1)]
    entries = [e for e in made if isinstance(e, Rows | Seal | TermStart)]
    return filter_.of(message_id, entries, HeldMessage(1)).taken


def test_of_an_entry_only_the_ranges_above_their_checkpoints_are_kept() -> None:
    filter_ = fresh(watched(1, "growing", "2.01"), watched(2, "growing", "1.99"))
    (first,) = taken(filter_, "rows a 1 3 2 4 3 5")
    assert first.ranges == (SegmentRows(2, 3, 4), SegmentRows(3, 7, 5))
    assert not first.deletes


def test_an_upsert_may_lack_its_rows_or_its_deletes() -> None:
    rows_stored = fresh(watched(1, "growing", "2.01"), deletes="1.99")
    (first,) = taken(rows_stored, "upsert a 1 3 1")
    assert (first.ranges, first.deletes) == ((), True)
    deletes_stored = fresh(watched(1, "growing", "1.99"), deletes="2.01")
    (first,) = taken(deletes_stored, "upsert a 1 3 1")
    assert (first.ranges, first.deletes) == ((SegmentRows(1, 0, 3),), False)


def test_what_is_stored_wholly_is_dropped() -> None:
    filter_ = fresh(watched(1, "flushed", "2.99"), deletes="2.99")
    assert taken(filter_, "rows a 1 3", "upsert a 1 3 1", "delete a 2", "seal a 1") == ()


def test_a_seal_of_a_growing_segment_and_a_term_start_are_kept() -> None:
    filter_ = fresh(watched(1, "growing", "2.99"))
    assert len(taken(filter_, "seal a 1", "term")) == 2


def test_rows_of_a_partition_whose_drop_was_passed_are_dropped() -> None:
    assert taken(fresh(dropped=(11,)), "rows a 1 3 p11") == ()
