"""Recovery's filter: rows by segment checkpoint, deletes by delete checkpoint, Seals by state."""

from support.players.datanode import EntryMaker, at, vchannel

from headrace.datanode.consume.replay_filter import ReplayFilter
from headrace.datanode.handoff import VChannelEntry
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


def replay_filter(
    *segments: WatchedSegment, deletes: str = "0.01", dropped: tuple[int, ...] = ()
) -> ReplayFilter:
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
    return ReplayFilter(watch)


def new(filter_: ReplayFilter, *texts: str, message_id: int = 2) -> list[VChannelEntry]:
    maker = EntryMaker()
    made = [maker.make(t, 100 * message_id + i) for i, t in enumerate(texts, 1)]
    return list(filter_.new(e for e in made if isinstance(e, Rows | Seal | TermStart)))


def only_rows(found: list[VChannelEntry]) -> Rows:
    (entry,) = found
    assert isinstance(entry, Rows)
    return entry


def test_of_an_entry_only_the_ranges_above_their_checkpoints_are_kept() -> None:
    filter_ = replay_filter(watched(1, "growing", "2.01"), watched(2, "growing", "1.99"))
    entry = only_rows(new(filter_, "rows a 1 3 2 4 3 5"))
    assert entry.segments == (SegmentRows(2, 3, 4), SegmentRows(3, 7, 5))
    assert (entry.rows, entry.deletes) == (12, 0)


def test_an_upsert_may_lack_its_rows_or_its_deletes() -> None:
    rows_stored = replay_filter(watched(1, "growing", "2.01"), deletes="1.99")
    entry = only_rows(new(rows_stored, "upsert a 1 3 1"))
    assert (entry.segments, entry.deletes) == ((), 1)
    deletes_stored = replay_filter(watched(1, "growing", "1.99"), deletes="2.01")
    entry = only_rows(new(deletes_stored, "upsert a 1 3 1"))
    assert (entry.segments, entry.deletes) == ((SegmentRows(1, 0, 3),), 0)


def test_what_is_stored_wholly_is_dropped() -> None:
    filter_ = replay_filter(watched(1, "flushed", "2.99"), deletes="2.99")
    assert new(filter_, "rows a 1 3", "upsert a 1 3 1", "delete a 2") == []


def test_what_is_new_wholly_is_the_same_entry() -> None:
    entry = EntryMaker().make("upsert a 1 3 1", 201)
    assert isinstance(entry, Rows)
    (kept,) = replay_filter(watched(1, "growing", "1.99")).new([entry])
    assert kept is entry


def test_seals_and_term_starts_are_kept() -> None:
    filter_ = replay_filter(watched(1, "growing", "2.99"))
    assert len(new(filter_, "seal a 1", "term")) == 2


def test_rows_of_a_partition_whose_drop_was_passed_are_dropped() -> None:
    assert new(replay_filter(dropped=(11,)), "rows a 1 3 p11") == []


def test_a_segment_is_let_go_when_all_of_its_rows_were_read() -> None:
    filter_ = replay_filter(watched(1, "flushed", "2.50"))
    filter_.let_go([1, 9], at("2.49"))
    assert new(filter_, "rows a 1 3") == []
    filter_.let_go([1], at("2.50"))
    assert len(new(filter_, "rows a 1 3")) == 1
