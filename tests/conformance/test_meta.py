"""What every meta store keeps to: in memory and on a real etcd."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.servers.etcd import Etcd, etcd, etcd_server

from headrace.app.servers.etcd import EtcdServer
from headrace.meta.api import (
    MAX_OPERATIONS,
    Compacted,
    Delete,
    DeleteEvent,
    MetaStore,
    ModRevisionIs,
    Put,
    PutEvent,
    ValueIs,
    WatchBatch,
)
from headrace.meta.etcd import PAGE_KEYS, EtcdMeta
from headrace.meta.etcd_connections import EtcdAccess
from headrace.meta.memory import MemoryMetaServer
from headrace.model.errors import Conflict, Unavailable
from headrace.runtime.host import RealClock, real_host

__all__ = ["etcd", "etcd_server"]


@dataclass
class World:
    """Two handles on one store, and what only its operator may do. Keys begin with `root`."""

    meta: MetaStore
    other: MetaStore
    compact: Callable[[int], Awaitable[None]]
    root: str

    def key(self, name: str) -> str:
        """A key of this test."""
        return f"{self.root}/{name}"

    async def put(self, name: str, value: bytes, lease: int = 0) -> int:
        """Write; the revision."""
        return (await self.meta.txn([], [Put(self.key(name), value, lease)])).revision


@pytest.fixture(params=["memory", "etcd"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One of the adapters."""
    if request.param == "memory":
        server = MemoryMetaServer(RealClock())

        async def compact(revision: int) -> None:
            server.compact(revision)

        yield World(server.client("one"), server.client("two"), compact, "test")
        return
    shared: Etcd = request.getfixturevalue("etcd")
    meta, other = EtcdMeta(shared.access, real_host()), EtcdMeta(shared.access, real_host())
    yield World(meta, other, meta.compact, shared.keys.root)
    await meta.close()
    await other.close()


async def seen(watch: AsyncIterator[WatchBatch], events: int) -> list[WatchBatch]:
    """Batches of a watch until they hold so many events; the watch is ended."""
    batches: list[WatchBatch] = []
    assert isinstance(watch, AsyncGenerator)
    async with asyncio.timeout(20):
        while sum(len(b.events) for b in batches) < events:
            batches.append(await anext(watch))
    await watch.aclose()
    return batches


# ---- reads and transactions ------------------------------------------------------------------


async def test_an_absent_key_has_no_item(world: World) -> None:
    result = await world.meta.get(world.key("a"))
    assert result.items == ()
    assert result.first is None
    assert result.revision > 0


async def test_a_key_counts_its_writes_since_it_was_made(world: World) -> None:
    first = await world.put("a", b"one")
    second = await world.put("a", b"two")
    item = (await world.meta.get(world.key("a"))).first
    assert item is not None
    assert (item.value, item.version) == (b"two", 2)
    assert (item.create_revision, item.mod_revision) == (first, second)
    await world.meta.txn([], [Delete(world.key("a"))])
    third = await world.put("a", b"")
    item = (await world.meta.get(world.key("a"))).first
    assert item is not None
    assert (item.value, item.version, item.create_revision) == (b"", 1, third)


async def test_a_write_raises_the_revision_by_one_however_many_keys_it_has(world: World) -> None:
    before = (await world.meta.get(world.key("a"))).revision
    result = await world.meta.txn([], [Put(world.key(n), b"x") for n in "abc"])
    assert (result.succeeded, result.revision) == (True, before + 1)
    items = (await world.meta.range(world.key(""))).items
    assert [i.mod_revision for i in items] == 3 * [before + 1]


async def test_what_changes_nothing_does_not_raise_the_revision(world: World) -> None:
    before = await world.put("a", b"x")
    assert (await world.meta.txn([], [Delete(world.key("b"))])).revision == before
    assert (await world.meta.txn([], [Delete(world.key("b/"), prefix=True)])).revision == before
    assert (await world.meta.txn([ModRevisionIs(world.key("a"), before)], [])).succeeded
    failed = await world.meta.txn([ModRevisionIs(world.key("a"), 1)], [Put(world.key("a"), b"")])
    assert (failed.succeeded, failed.revision) == (False, before)


async def test_a_transaction_does_all_or_nothing(world: World) -> None:
    revision = await world.put("a", b"x")
    operations = [Put(world.key("a"), b"y"), Put(world.key("b"), b"y")]
    wrong = [ModRevisionIs(world.key("a"), revision), ModRevisionIs(world.key("b"), revision)]
    assert not (await world.meta.txn(wrong, operations)).succeeded
    assert [i.value for i in (await world.meta.range(world.key(""))).items] == [b"x"]
    right = [ModRevisionIs(world.key("a"), revision), ModRevisionIs(world.key("b"), 0)]
    assert (await world.meta.txn(right, operations)).succeeded
    assert [i.value for i in (await world.meta.range(world.key(""))).items] == [b"y", b"y"]


async def test_values_are_compared(world: World) -> None:
    await world.put("a", b"x")
    for key, value, holds in (("a", b"x", True), ("a", b"y", False), ("b", b"", False)):
        result = await world.meta.txn([ValueIs(world.key(key), value)], [])
        assert result.succeeded is holds


async def test_of_two_that_compare_the_same_revision_one_wins(world: World) -> None:
    compare = [ModRevisionIs(world.key("a"), 0)]
    results = await asyncio.gather(
        *(
            store.txn(compare, [Put(world.key("a"), str(n).encode())])
            for n, store in enumerate(10 * [world.meta, world.other])
        )
    )
    winners = [n for n, result in enumerate(results) if result.succeeded]
    item = (await world.other.get(world.key("a"))).first
    assert item is not None
    assert winners == [int(item.value)]


async def test_a_prefix_is_removed_whole_and_nothing_else(world: World) -> None:
    for name in ("a", "a/1", "a/2", "a0"):
        await world.put(name, b"x")
    await world.meta.txn([], [Delete(world.key("a/"), prefix=True), Put(world.key("b"), b"x")])
    items = (await world.meta.range(world.key(""))).items
    assert [i.key for i in items] == [world.key(n) for n in ("a", "a0", "b")]


async def test_what_a_transaction_may_not_hold_is_an_assertion(world: World) -> None:
    twice = [Put(world.key("a"), b"x"), Delete(world.key("a"))]
    within = [Delete(world.key("a/"), prefix=True), Put(world.key("a/1"), b"x")]
    many = [Put(world.key(str(n)), b"x") for n in range(MAX_OPERATIONS + 1)]
    for operations, words in (
        (twice, "two operations of one transaction on one key"),
        (within, "removes all of .* and touches a key in it"),
        (many, "operations in one transaction"),
    ):
        with pytest.raises(AssertionError, match=words):
            await world.meta.txn([], operations)
    with pytest.raises(AssertionError, match="comparisons in one transaction"):
        await world.meta.txn([ModRevisionIs(o.key, 0) for o in many], [])
    full = [ModRevisionIs(o.key, 0) for o in many[:-1]]
    assert (await world.meta.txn(full, many[:-1])).succeeded


async def test_a_range_is_in_order_and_of_one_revision_over_all_pages(world: World) -> None:
    names = [f"{n:05d}" for n in range(PAGE_KEYS + 250)]
    for n in range(0, len(names), 125):
        await world.meta.txn([], [Put(world.key(name), b"old") for name in names[n : n + 125]])
    revision = (await world.meta.range(world.key(""))).revision

    async def overwrite() -> None:
        for n in range(0, len(names), 125):
            await world.other.txn([], [Put(world.key(name), b"new") for name in names[n : n + 125]])

    reads, _ = await asyncio.gather(
        asyncio.gather(*(world.meta.range(world.key("")) for _ in range(5))), overwrite()
    )
    for result in reads:
        assert [i.key for i in result.items] == [world.key(name) for name in names]
        assert all(i.mod_revision <= result.revision for i in result.items)
        assert sum(i.value == b"new" for i in result.items) == 125 * (result.revision - revision)


async def test_a_read_at_a_revision_shows_what_was_then(world: World) -> None:
    first = await world.put("a", b"one")
    second = await world.put("b", b"two")
    await world.meta.txn([], [Delete(world.key("a")), Put(world.key("b"), b"three")])
    old = await world.meta.range(world.key(""), revision=second)
    assert [i.value for i in old.items] == [b"one", b"two"]
    assert old.revision == second
    assert (await world.meta.get(world.key("b"), revision=first)).first is None
    assert [i.value for i in (await world.meta.range(world.key(""))).items] == [b"three"]


async def test_reads_and_watches_below_a_compaction_are_compacted(world: World) -> None:
    first = await world.put("a", b"one")
    second = await world.put("a", b"two")
    third = await world.put("a", b"three")
    await world.compact(second)
    for read in (world.meta.get, world.meta.range):
        with pytest.raises(Compacted):
            await read(world.key("a"), revision=first)
    with pytest.raises(Compacted) as caught:
        await seen(world.meta.watch(world.key("a"), start=first), 1)
    assert caught.value.compact_revision == second
    assert [i.value for i in (await world.meta.range(world.key(""), revision=second)).items] == [
        b"two"
    ]
    [batch] = await seen(world.meta.watch(world.key("a"), start=third), 1)
    assert batch.revision == third


async def test_keys_and_values_may_hold_any_text_and_bytes(world: World) -> None:
    key, value = world.key("päth/✓ x"), bytes(range(256)) * 4
    revision = (await world.meta.txn([], [Put(key, value)])).revision
    [item] = (await world.meta.range(world.key("päth/"))).items
    assert (item.key, item.value) == (key, value)
    [batch] = await seen(world.meta.watch(world.key("päth/"), start=revision), 1)
    assert batch.events == (PutEvent(item),)


# ---- leases ----------------------------------------------------------------------------------


async def test_keys_go_with_their_lease(world: World) -> None:
    lease = await world.meta.grant(60)
    await world.put("a", b"x", lease)
    revision = await world.put("b", b"x", lease)
    item = (await world.meta.get(world.key("a"))).first
    assert item is not None
    assert item.lease == lease
    await world.other.revoke(lease)
    assert (await world.meta.range(world.key(""))).items == ()
    [batch] = await seen(world.meta.watch(world.key(""), start=revision + 1), 2)
    assert sorted(e.key for e in batch.events if isinstance(e, DeleteEvent)) == [
        world.key("a"),
        world.key("b"),
    ]


async def test_a_key_that_was_written_without_its_lease_stays(world: World) -> None:
    lease = await world.meta.grant(60)
    await world.put("a", b"x", lease)
    await world.put("a", b"y")
    await world.meta.revoke(lease)
    assert (await world.meta.get(world.key("a"))).first is not None


async def test_a_lease_that_has_ended_is_neither_kept_nor_used(world: World) -> None:
    lease = await world.meta.grant(60)
    assert await world.meta.keep_alive(lease) == 60
    await world.meta.revoke(lease)
    await world.meta.revoke(lease)
    assert await world.meta.keep_alive(lease) == 0
    with pytest.raises(Conflict):
        await world.meta.txn([], [Put(world.key("a"), b"x", lease), Put(world.key("b"), b"x")])
    assert (await world.meta.range(world.key(""))).items == ()


async def test_a_lease_ends_when_nobody_keeps_it_alive(world: World) -> None:
    kept, left = await world.meta.grant(2), await world.meta.grant(2)
    await world.put("kept", b"x", kept)
    revision = await world.put("left", b"x", left)
    clock = RealClock()
    began = clock.monotonic()

    async def keep() -> None:
        while True:
            assert await world.other.keep_alive(kept) == 2
            await clock.sleep(0.5)

    keeping = asyncio.create_task(keep())
    [batch] = await seen(world.meta.watch(world.key(""), start=revision + 1), 1)
    assert batch.events == (DeleteEvent(world.key("left"), revision + 1),)
    assert 1.5 < clock.monotonic() - began < 6
    keeping.cancel()
    assert [i.key for i in (await world.meta.range(world.key(""))).items] == [world.key("kept")]


# ---- watches ---------------------------------------------------------------------------------


async def test_a_watch_brings_each_revision_once_in_order(world: World) -> None:
    start = await world.put("a/1", b"x")
    await world.put("b/1", b"not watched")
    await world.meta.txn([], [Put(world.key("a/2"), b"x"), Put(world.key("b/2"), b"not watched")])
    watch = asyncio.create_task(seen(world.other.watch(world.key("a/"), start=start), 5))
    await world.meta.txn([], [Delete(world.key("a/1")), Put(world.key("a/2"), b"y")])
    await world.put("a/1", b"z")
    batches = await watch
    assert [b.revision for b in batches] == [start, start + 2, start + 3, start + 4]
    described: list[list[tuple[str, Any]]] = [
        [(e.item.key, e.item.value) if isinstance(e, PutEvent) else (e.key, None) for e in b.events]
        for b in batches
    ]
    one, two = world.key("a/1"), world.key("a/2")
    assert described == [[(one, b"x")], [(two, b"x")], [(one, None), (two, b"y")], [(one, b"z")]]


async def test_a_watch_may_begin_in_the_future(world: World) -> None:
    revision = await world.put("a", b"x")
    watch = asyncio.create_task(seen(world.meta.watch(world.key("a"), start=revision + 2), 1))
    await world.put("a", b"y")
    await world.put("a", b"z")
    [batch] = await watch
    assert batch.revision == revision + 2


async def test_many_watches_run_side_by_side(world: World) -> None:
    start = await world.put("a", b"x")
    watches = [
        asyncio.create_task(seen(world.meta.watch(world.key("a"), start=start), 3))
        for _ in range(20)
    ]
    await world.put("a", b"y")
    await world.put("a", b"z")
    for batches in await asyncio.gather(*watches):
        assert [b.revision for b in batches] == [start, start + 1, start + 2]


async def test_after_close_every_call_is_unavailable(world: World) -> None:
    watch = world.meta.watch(world.key("a"), start=10**9)
    waiting = asyncio.ensure_future(anext(watch))
    await world.put("a", b"x")
    await world.meta.close()
    for call in (world.meta.get("a"), world.meta.txn([], []), world.meta.grant(5)):
        with pytest.raises(Unavailable):
            await call
    with pytest.raises(Unavailable):
        await asyncio.wait_for(waiting, 5)


# ---- a server that dies ----------------------------------------------------------------------


async def test_a_watch_misses_nothing_while_etcd_is_killed_and_comes_back(tmp_path: Path) -> None:
    server = EtcdServer(tmp_path / "etcd")
    await server.start()
    access = EtcdAccess(endpoints=(server.endpoint,))
    writer, watcher = EtcdMeta(access, real_host()), EtcdMeta(access, real_host())
    lease = await writer.grant(60)
    clock = RealClock()
    acknowledged: dict[int, bytes] = {}
    arrived: dict[int, bytes] = {}
    tried = 0
    stop = asyncio.Event()

    async def write() -> None:
        nonlocal tried
        while not stop.is_set():
            tried += 1
            value = str(tried).encode()
            try:
                result = await writer.txn([], [Put("a", value, lease)])
            except Unavailable:
                continue
            acknowledged[result.revision] = value

    async def watch() -> None:
        async for batch in watcher.watch("a", start=1):
            [event] = batch.events
            assert isinstance(event, PutEvent)
            assert batch.revision not in arrived, "a revision came twice"
            assert batch.revision > max(arrived, default=0), "a revision came too late"
            arrived[batch.revision] = event.item.value

    async def until(number: int) -> None:
        async with asyncio.timeout(20):
            while len(acknowledged) < number:
                await clock.sleep(0.01)

    try:
        writing, watching = asyncio.create_task(write()), asyncio.create_task(watch())
        for _ in range(3):
            await until(len(acknowledged) + 200)
            await server.kill()
            await server.start()
        await until(len(acknowledged) + 200)
        stop.set()
        await writing
        async with asyncio.timeout(20):
            while not acknowledged.keys() <= arrived.keys():
                assert not watching.done()
                await clock.sleep(0.01)
        watching.cancel()
        assert {r: arrived[r] for r in acknowledged} == acknowledged
        assert await writer.keep_alive(lease) == 60
        assert tried >= len(arrived) >= 800
    finally:
        await writer.close()
        await watcher.close()
        await server.stop()
