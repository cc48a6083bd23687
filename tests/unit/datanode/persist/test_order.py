"""Syncs are stored side by side and reported in the order of their numbers."""

import pytest

from headrace.datanode.handoff import EncodedObject, EncodedPack, SegmentPart, SyncHead
from headrace.datanode.persist.order import Order
from headrace.model.position import Position

HERE = Position("p", 1, 100)


def head(number: int, *, files: bool = True) -> SyncHead:
    part = SegmentPart(
        segment_id=1,
        partition_id=1,
        version=1,
        number=number if files else 0,
        rows=1,
        start=HERE,
        extends=None,
        flush=not files,
    )
    return SyncHead(
        number=number,
        position=HERE,
        segments=(part,),
        deletes=None,
        first_rows=HERE,
        first_deletes=None,
        begun_s=0.0,
    )


def encoded(number: int, *keys: str) -> EncodedPack:
    objects = tuple(EncodedObject(k, (b"12345",)) for k in keys)
    return EncodedPack(number=number, objects=objects, files={}, delta=None)


def test_what_is_stored_first_waits_for_the_one_before() -> None:
    order = Order()
    for number in (1, 2):
        order.begin(head(number))
        order.encoded(encoded(number, f"a{number}"))
    order.stored(2)
    assert order.next() is None
    order.stored(1)
    found = order.next()
    assert found is not None
    assert found.head.number == 1
    with pytest.raises(AssertionError):
        order.reported(2)
    order.reported(1)
    order.reported(2)
    assert not len(order)


def test_only_what_is_missing_is_put_again() -> None:
    order = Order()
    order.begin(head(1))
    assert order.encoded(encoded(1, "a", "b", "c")).size_bytes == 15
    sync = order.failed(1, frozenset({"b"}), "away")
    assert [o.key for o in sync.left] == ["a", "c"]
    sync = order.failed(1, frozenset(), "still away")
    assert [o.key for o in sync.left] == ["a", "c"]
    assert (sync.attempt, sync.trouble) == (2, "still away")
    assert order.stored(1).trouble == ""


def test_a_stored_sync_keeps_no_bytes() -> None:
    order = Order()
    order.begin(head(1))
    order.encoded(encoded(1, "a"))
    sync = order.stored(1)
    assert sync.encoded is not None
    assert not sync.encoded.objects
    assert not sync.left
    assert sync.size_bytes == 5


def test_a_flush_without_rows_has_nothing_to_wait_for() -> None:
    order = Order()
    order.begin(head(1, files=False))
    assert order.next() is not None
