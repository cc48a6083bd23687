"""Segments: opened by the first row, closed by Seals."""

import pytest
from support.players.sequencer import (
    OTHER_VCHANNEL,
    collection,
    ddl,
    entries_of,
    of,
    opened,
    part,
    rows_of,
    sent,
)

from headrace.model.entry import Ddl, DdlKind, Rows, Seal, SegmentRows
from headrace.sequencer.effects import Append


def test_the_first_row_opens_a_segment_and_the_next_ones_join_it() -> None:
    script = opened()
    _, first = sent(script, "a", rows=3)
    script.append(part("b", rows=2))
    script.append(part("c", vchannel=OTHER_VCHANNEL))
    script.append(part("d", partition_id=2))
    [second] = of(Append, script.stands(first))
    [a] = rows_of(first)
    b, c, d = rows_of(second)
    [segment] = a.segments
    assert segment == SegmentRows(segment.segment_id, 0, 3, opens=True)
    assert b.segments == (SegmentRows(segment.segment_id, 0, 2, opens=False),)
    ids = {s.segment_id for r in (a, c, d) for s in r.segments}
    assert len(ids) == 3 and all(s.opens for r in (c, d) for s in r.segments)


def test_row_ids_never_repeat() -> None:
    script = opened(ids_lease=5)
    taken: list[int] = []
    for n, rows in enumerate([3, 1, 4, 11, 2, 2]):
        _, append = sent(script, f"p{n}", rows=rows)
        [entry] = rows_of(append)
        taken += range(entry.first_row_id, entry.first_row_id + rows)
        taken += [s.segment_id for s in entry.segments if s.opens]
        script.stands(append)
    assert len(taken) == len(set(taken))


def test_deletes_need_no_segment() -> None:
    script = opened()
    deletes = {"deletes": 2, "delete_body": b"two keys", "delete_partition_id": 7}
    _, append = sent(script, "d", rows=0, body=b"", **deletes)
    [entry] = rows_of(append)
    assert (entry.segments, entry.deletes, bytes(entry.delete_body)) == ((), 2, b"two keys")
    assert entry.delete_partition_id == 7


def test_a_segment_is_sealed_by_size() -> None:
    script = opened(segment_bytes_max=150)
    _, first = sent(script, "a")
    script.append(part("b"))
    script.append(part("c"))
    [second] = of(Append, script.stands(first))
    b, seal, c = entries_of(second)
    assert isinstance(b, Rows) and isinstance(seal, Seal) and isinstance(c, Rows)
    assert seal.segment_id == b.segments[0].segment_id
    assert c.segments[0].opens and c.segments[0].segment_id != seal.segment_id


@pytest.mark.parametrize("why", ["age", "idleness"])
def test_a_segment_is_sealed_by(why: str) -> None:
    limits = {"segment_age_s": 100.0, "segment_idle_s": 1e9}
    if why == "idleness":
        limits = {"segment_age_s": 1e9, "segment_idle_s": 100.0}
    script = opened(tick_idle_s=1e9, **limits)
    _, append = sent(script, "a")
    script.stands(append)
    assert of(Append, script.wait(99.0)) == []
    [sealing] = of(Append, script.wait(1.0))
    [seal] = entries_of(sealing)
    assert isinstance(seal, Seal)
    assert seal.segment_id == rows_of(append)[0].segments[0].segment_id


def test_a_schema_change_seals_every_open_segment_of_the_collection_first() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.stands(append)
    _, effects = script.ddl(collection(2, noted=1), ddl(2, DdlKind.ALTER))
    [group] = of(Append, effects)
    assert [type(e) for e in entries_of(group)] == [Seal, Ddl, Ddl]
    script.stands(group)
    _, append = sent(script, "b", version=2)
    assert rows_of(append)[0].segments[0].opens


def test_a_drop_ends_the_segments_without_seals() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.stands(append)
    _, effects = script.ddl(collection(2, noted=1), ddl(2, DdlKind.DROP))
    [group] = of(Append, effects)
    assert [type(e) for e in entries_of(group)] == [Ddl, Ddl]
    assert script.machine.status()["open_segments"] == 0


def test_a_dropped_partition_ends_its_segment_and_seals_the_others() -> None:
    script = opened()
    _, append = sent(script, "a", partition_id=1)
    script.append(part("b", partition_id=2))
    [second] = of(Append, script.stands(append))
    script.stands(second)
    drop = ddl(2, DdlKind.DROP_PARTITION, partition_id=2)
    _, effects = script.ddl(collection(2, noted=1), drop)
    seal, first, _ = entries_of(of(Append, effects)[0])
    assert isinstance(seal, Seal)
    assert seal.segment_id == rows_of(append)[0].segments[0].segment_id
    assert isinstance(first, Ddl) and first.partition_id == 2
    assert script.machine.status()["open_segments"] == 0
