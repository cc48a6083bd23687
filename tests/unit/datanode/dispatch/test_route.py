"""What entries mean, without a look at any row."""

from dataclasses import replace

import pytest
from support.players.datanode import EntryMaker, at, vchannel
from support.values.rows import SMALL

from headrace.datanode.dispatch.route import Route
from headrace.datanode.dispatch.versions import SchemaVersions
from headrace.datanode.handoff import (
    CollectionDropped,
    DeletedKeys,
    Dispatched,
    HeldMessage,
    PartitionDropped,
    RowSlice,
    Sealed,
    VChannelEntry,
)
from headrace.model.entry import Digest, Rows, SegmentRows, Tick
from headrace.model.errors import Corrupt
from headrace.rpc.messages import Watch, WatchedSchema


def routed(*texts: str, ranges: tuple[SegmentRows, ...] | None = None) -> list[Dispatched]:
    watch = Watch(
        vchannel=vchannel("a"),
        epoch=1,
        collection_id=1,
        seek=at("1.00"),
        deletes_checkpoint=None,
        schemas=(WatchedSchema(version=1, schema=SMALL, timestamp=1),),
        segments=(),
    )
    maker = EntryMaker()
    entries: list[VChannelEntry] = []
    for i, text in enumerate(texts, 1):
        entry = maker.make(text, 200 + i)
        assert not isinstance(entry, Tick | Digest)
        if isinstance(entry, Rows) and ranges is not None:
            entry = replace(entry, segments=ranges)
        entries.append(entry)
    return list(Route("p", 1, SchemaVersions(watch)).of(2, entries, HeldMessage(1)))


def test_rows_go_to_segments_as_ranges_of_one_body() -> None:
    first, second, deletes = routed("upsert a 1 3 2 5 4")
    assert isinstance(first, RowSlice)
    assert isinstance(second, RowSlice)
    assert isinstance(deletes, DeletedKeys)
    assert (first.segment_id, first.first_row, first.rows) == (1, 0, 3)
    assert (second.segment_id, second.first_row, second.rows) == (2, 3, 5)
    assert first.body is second.body
    assert first.first_row_id == second.first_row_id == 1
    assert (first.size_bytes, second.size_bytes) == (300, 500)
    assert deletes.deletes == 4


def test_seals_name_a_segment_and_term_starts_none() -> None:
    assert routed("seal a 7", "term") == [Sealed(at("2.01"), 7), Sealed(at("2.02"), None)]


def test_drops_and_other_ddl() -> None:
    assert routed("ddl a rename") == [Sealed(at("2.01"), None)]
    assert routed("ddl a drop-partition 11") == [
        PartitionDropped(at("2.01"), 11),
        Sealed(at("2.01"), None),
    ]
    assert routed("ddl a drop") == [CollectionDropped(at("2.01"))]


@pytest.mark.parametrize("bad", [SegmentRows(1, 0, 6), SegmentRows(1, -1, 2), SegmentRows(1, 2, 0)])
def test_a_range_outside_of_the_rows_is_corrupt(bad: SegmentRows) -> None:
    with pytest.raises(Corrupt):
        routed("rows a 1 5", ranges=(bad,))


def test_rows_of_another_collection_are_corrupt() -> None:
    with pytest.raises(Corrupt):
        routed("rows b 1 5")


def test_an_entry_of_a_dropped_range_still_brings_the_others() -> None:
    (only,) = routed("rows a 1 3 2 5", ranges=(SegmentRows(2, 3, 5),))
    assert isinstance(only, RowSlice)
    assert (only.segment_id, only.first_row, only.size_bytes) == (2, 3, 500)
