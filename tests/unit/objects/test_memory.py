"""Objects in memory: the faults. What every store must do is in tests/conformance."""

import asyncio

import pytest
from support.world.clock import ManualClock

from headrace.model.errors import Conflict, NotFound, Unavailable
from headrace.objects.memory import MemoryBucket, MemoryObjects, StoreFault


def client(clock: ManualClock, fault: StoreFault | None = None) -> MemoryObjects:
    return MemoryObjects(MemoryBucket(clock), lambda operation, key: fault)


async def test_a_put_that_was_not_sent_leaves_nothing():
    store = client(ManualClock(), StoreFault(unsent=True))
    with pytest.raises(Unavailable, match="not sent"):
        await store.put("a", [b"x"])
    with pytest.raises(NotFound):
        store.server.get("a")


async def test_a_put_whose_answer_is_lost_stands():
    store = client(ManualClock(), StoreFault(lost=True))
    with pytest.raises(Unavailable, match="answer was lost"):
        await store.put("a", [b"x", b"y"])
    assert store.server.get("a") == b"xy"
    with pytest.raises(Conflict):
        await store.put("a", [b"x", b"y"])


async def test_a_late_put_lands_after_its_caller_was_told_that_it_failed():
    clock = ManualClock()
    store = client(clock, StoreFault(late_s=5))
    with pytest.raises(Unavailable, match="no answer"):
        await store.put("a", [b"x"])
    await clock.advance(4.9)
    assert store.server.list("") == ()
    await clock.advance(0.2)
    assert store.server.get("a") == b"x"


async def test_a_late_put_takes_no_key_that_another_has_taken():
    clock = ManualClock()
    store = client(clock, StoreFault(late_s=5))
    with pytest.raises(Unavailable):
        await store.put("a", [b"late"])
    store.server.put("a", b"first")
    await clock.advance(6)
    assert store.server.get("a") == b"first"


async def test_a_client_killed_on_the_way_there_leaves_nothing_and_on_the_way_back_an_object():
    for fault, keys in ((StoreFault(delay_s=1), []), (StoreFault(answer_delay_s=1), ["a"])):
        clock = ManualClock()
        store = client(clock, fault)
        put = asyncio.ensure_future(store.put("a", [b"x"]))
        await clock.advance(0.5)
        put.cancel()
        await clock.advance(10)
        assert [o.key for o in store.server.list("")] == keys


async def test_a_full_store_says_so():
    store = MemoryObjects(MemoryBucket(ManualClock(), capacity_bytes=10))
    await store.put("a", [b"12345678"])
    assert await store.free_bytes() == 2
    with pytest.raises(Unavailable, match="no space"):
        await store.put("b", [b"123"])


def test_every_put_that_arrives_is_seen_whatever_becomes_of_it():
    server = MemoryBucket(ManualClock())
    seen = []
    server.on_put = lambda key, data: seen.append((key, data))
    server.put("a", b"1")
    with pytest.raises(Conflict):
        server.put("a", b"2")
    assert seen == [("a", b"1"), ("a", b"2")]
