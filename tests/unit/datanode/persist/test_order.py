"""Syncs are stored side by side and reported in the order of their numbers."""

from dataclasses import replace

import pytest

from headrace.datanode.handoff import EncodedObject, Stage, SyncKey, SyncPack
from headrace.datanode.persist.order import Order
from headrace.model.channel import Position


def pack(number: int, stage: Stage = Stage.ENCODING) -> SyncPack:
    return SyncPack(
        key=SyncKey("p_1v0", 1, number),
        collection_id=1,
        position=Position("p", number, 100 * number),
        segments=(),
        deletes=None,
        holders=(Position("p", number, 100 * number - 1),),
        begun_s=0.0,
        size_bytes=1,
        stage=stage,
    )


def encoded(number: int, *keys: str) -> SyncPack:
    objects = tuple(EncodedObject(k, (b"12345",)) for k in keys)
    return replace(pack(number), stage=Stage.STORING, left=objects)


def test_what_is_stored_first_waits_for_the_one_before() -> None:
    order = Order()
    for number in (1, 2):
        order.begin(pack(number))
        order.encoded(encoded(number, f"a{number}"))
    order.stored(2)
    assert order.next() is None
    order.stored(1)
    found = order.next()
    assert found is not None
    assert found.number == 1
    with pytest.raises(AssertionError, match="reported in the order of their numbers"):
        order.reported(2)
    order.reported(1)
    order.reported(2)
    assert not len(order)


def test_only_what_is_missing_is_put_again() -> None:
    order = Order()
    order.begin(pack(1))
    order.encoded(encoded(1, "a", "b", "c"))
    again = order.failed(1, frozenset({"b"}), "away")
    assert [o.key for o in again.left] == ["a", "c"]
    again = order.failed(1, frozenset(), "still away")
    assert [o.key for o in again.left] == ["a", "c"]
    assert (again.attempt, again.trouble) == (2, "still away")
    assert order.stored(1).trouble == ""


def test_a_stored_sync_keeps_no_bytes() -> None:
    order = Order()
    order.begin(pack(1))
    order.encoded(encoded(1, "a"))
    assert not order.stored(1).left


def test_a_flush_without_rows_has_nothing_to_wait_for() -> None:
    order = Order()
    order.begin(pack(1, Stage.STORED))
    assert order.next() is not None


def test_the_checkpoint_waits_for_all_but_the_sync_that_is_reported() -> None:
    order = Order()
    for number in (1, 2):
        order.begin(pack(number))
    assert [p.timestamp for p in order.holders(0)] == [99, 199]
    assert [p.timestamp for p in order.holders(1)] == [199]


def test_a_holder_says_where_its_sync_is() -> None:
    order = Order()
    order.begin(pack(1))
    assert list(order.blockers(2.0, str)) == [(99, "deletes: sync since 2.0 s; encoding")]
    order.encoded(encoded(1, "a"))
    order.failed(1, frozenset(), "away")
    assert [text for _, text in order.blockers(2.0, str)] == [
        "deletes: sync since 2.0 s; put failed: away"
    ]
    order.stored(1)
    assert [text for _, text in order.blockers(2.0, lambda n: f"report {n}")] == [
        "deletes: sync since 2.0 s; report 1"
    ]
