"""One leadership on the in-memory edges: faults, crashes at every call, and resumption."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.world.masterservice import OTHER, SCHEMA, Leading, World

from headrace.masterservice.events import (
    CreateAsked,
    DropAsked,
    GrantAsked,
    IdsAsked,
    PartitionAsked,
    RenameAsked,
    SetClientStateAsked,
    TimestampAsked,
)
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import Put
from headrace.meta.memory import MetaCall
from headrace.meta.records import (
    CheckpointRecord,
    CollectionState,
    PChannelRecord,
    PoolRecord,
)
from headrace.model import codec
from headrace.model.channel import Position
from headrace.model.errors import Fenced, Invalid, Unavailable
from headrace.model.timestamp import physical_ms
from headrace.rpc.messages import (
    AllocIdsRequest,
    CreateCollectionRequest,
    DropCollectionRequest,
    GrantRequest,
    PartitionRequest,
    RenameCollectionRequest,
    SetClientStateRequest,
)


async def create(leading: Leading, name: str, schema: Any = SCHEMA, shards: int = 2) -> Any:
    response = await leading.ask(
        lambda call: CreateAsked(
            call, CreateCollectionRequest(name=name, schema=schema, shards=shards)
        )
    )
    return response.record


async def drop(leading: Leading, name: str) -> None:
    await leading.ask(lambda call: DropAsked(call, DropCollectionRequest(name)))


async def rename(leading: Leading, name: str, new: str) -> None:
    await leading.ask(lambda call: RenameAsked(call, RenameCollectionRequest(name, new)))


async def timestamp(world: World, leading: Leading) -> int:
    now = world.clock.monotonic()
    response = await leading.ask(
        lambda call: TimestampAsked(call=call, wall_ms=world.clock.wall_ms(), leads_until=now + 1)
    )
    first: int = response.timestamp
    return first


async def everything(leading: Leading) -> None:
    """A life with every kind of DDL."""
    await create(leading, "books")
    await asyncio.gather(
        create(leading, "films", shards=1),
        leading.ask(
            lambda call: PartitionAsked(
                call, PartitionRequest(collection="books", partition="new", drop=False)
            )
        ),
    )
    await rename(leading, "books", "novels")
    await create(leading, "books", OTHER)
    await drop(leading, "films")
    await drop(leading, "novels")
    await create(leading, "novels")


@pytest.fixture
async def world() -> World:
    return World()


async def populated(world: World, proxies: int = 2) -> World:
    for server_id in range(1, proxies + 1):
        await world.add_proxy(server_id)
    await world.add_data_service()
    return world


async def play(world: World, body: Callable[[], Awaitable[None]]) -> None:
    """Run the body on the world's clock, then end everything."""

    async def whole() -> None:
        try:
            await body()
        finally:
            await world.end()

    await world.clock.run(whole())


async def test_the_first_leader_makes_the_pool(world: World) -> None:
    async def body() -> None:
        await populated(world)
        await world.lead(world.elect(1))
        pool = codec.decode(world.value(world.keys.pool), PoolRecord).pchannels
        assert pool == tuple(f"headrace-dml-{n}" for n in range(4))
        for pchannel in pool:
            assert world.log.last(pchannel) == 0
        assert world.value(world.keys.layout) == b"2"

    await play(world, body)


async def test_another_pool_later_is_an_error(world: World) -> None:
    async def body() -> None:
        await world.lead(world.elect(1))
        world.settings = MasterServiceSettings(pchannels=8)
        task = await world.lead(world.elect(2))
        with pytest.raises(Invalid, match=r"4 pchannels .* 8 pchannels"):
            await task

    await play(world, body)


async def test_a_layout_of_another_version_is_refused(world: World) -> None:
    async def body() -> None:
        world.store.txn([], [Put(world.keys.layout, b"99")])
        task = await world.lead(world.elect(1))
        with pytest.raises(Invalid, match="99"):
            await task

    await play(world, body)


async def test_every_kind_of_ddl_stands_in_every_vchannel(world: World) -> None:
    async def body() -> None:
        await populated(world)
        leading = world.elect(1)
        await world.lead(leading)
        await everything(leading)
        world.check()
        names = {r.name for r in world.collections().values() if r.state == "created"}
        assert names == {"books", "novels"}

    await play(world, body)


async def test_pchannels_are_spread_over_the_proxies(world: World) -> None:
    async def body() -> None:
        await populated(world)
        leading = world.elect(1)
        await world.lead(leading)
        await create(leading, "books")
        assert sorted(world.wanted().values()) == [1, 1, 2, 2]
        await world.add_proxy(3)
        await world.add_proxy(4)
        world.tell_proxies(leading)
        await world.clock.sleep(3)
        assert sorted(world.wanted().values()) == [1, 2, 3, 4]
        assert len(world.proxies[1].stopped + world.proxies[2].stopped) == 2

    await play(world, body)


async def test_a_ddl_follows_its_pchannel_to_another_proxy(world: World) -> None:
    async def body() -> None:
        await populated(world)
        leading = world.elect(1)
        await world.lead(leading)
        await create(leading, "books", shards=4)
        world.proxies[1].kill()
        await drop(leading, "books")
        assert set(world.wanted().values()) == {2}, "its own refused connection was a suspicion"
        world.check()

    await play(world, body)


async def test_a_new_leader_resumes_and_starts_above_what_was_granted(world: World) -> None:
    async def body() -> None:
        await populated(world)
        first = world.elect(1)
        await world.lead(first)
        before = await timestamp(world, first)
        ids = await first.ask(lambda call: IdsAsked(call, AllocIdsRequest(10)))
        second = world.elect(2)
        await world.lead(second)
        after = await timestamp(world, second)
        more = await second.ask(lambda call: IdsAsked(call, AllocIdsRequest(10)))
        assert after > before
        assert physical_ms(after) - physical_ms(before) < 2 * world.settings.timestamp_window_ms
        assert more.first >= ids.first + 10

    await play(world, body)


async def test_a_replaced_leader_notices_at_its_next_transaction(world: World) -> None:
    async def body() -> None:
        await populated(world)
        first = world.elect(1)
        task = await world.lead(first)
        world.elect(2)
        with pytest.raises(Fenced):
            await create(first, "books")
        assert "leads" in await task
        assert world.collections() == {}
        with pytest.raises(Fenced):
            await create(first, "books")

    await play(world, body)


async def test_without_sequencers_a_create_is_refused_and_leaves_nothing(world: World) -> None:
    async def body() -> None:
        await populated(world, proxies=0)
        leading = world.elect(1)
        await world.lead(leading)
        with pytest.raises(Unavailable, match="no sequencer"):
            await create(leading, "books")
        assert world.collections() == {}
        await world.add_proxy(1)
        world.tell_proxies(leading)
        await create(leading, "books")
        world.check()

    await play(world, body)


async def test_without_a_data_service_the_answer_waits(world: World) -> None:
    async def body() -> None:
        await world.add_proxy(1)
        leading = world.elect(1)
        await world.lead(leading)
        asked = asyncio.create_task(create(leading, "books"))
        await world.clock.sleep(30)
        assert not asked.done()
        (record,) = world.collections().values()
        assert record.state is CollectionState.CREATED
        await world.add_data_service()
        assert (await asked).id == record.id
        world.check()

    await play(world, body)


async def test_positions_are_asked_for_again_when_the_log_was_trimmed_beyond_them(
    world: World,
) -> None:
    async def body() -> None:
        await populated(world)
        leading = world.elect(1)
        await world.lead(leading)
        await create(leading, "first", shards=4)
        pchannel = "headrace-dml-0"
        key = world.keys.pchannel(pchannel)
        carried = codec.decode(world.value(key), PChannelRecord)
        truncated = PChannelRecord(vchannels=carried.vchannels, truncation_mark=50)
        world.store.txn([], [Put(key, codec.encode(truncated))])
        asked = asyncio.create_task(create(leading, "second", shards=4))
        await world.clock.sleep(2)
        assert len(world.collections()) == 1
        world.streams[pchannel].last = 60
        record = await asked
        start = codec.decode(
            world.value(world.keys.checkpoint(f"{pchannel}_{record.id}v0")), CheckpointRecord
        ).start
        assert start.message_id == 60

    await play(world, body)


async def test_what_clients_say_goes_with_the_collection(world: World) -> None:
    async def body() -> None:
        await populated(world)
        leading = world.elect(1)
        await world.lead(leading)
        record = await create(leading, "books")

        async def say(topic: str, value: bytes) -> None:
            await leading.ask(
                lambda call: SetClientStateAsked(
                    call, SetClientStateRequest(collection_id=record.id, topic=topic, value=value)
                )
            )

        await say("index/vector/i", b"HNSW")
        await say("load", b"1")
        await say("load", b"")
        assert world.value(world.keys.client_state(record.id, "index/vector/i")) == b"HNSW"
        assert world.value(world.keys.client_state(record.id, "load")) == b""
        await drop(leading, "books")
        assert world.store.read(world.keys.client_state_prefix(record.id), True, 0).items == ()

    await play(world, body)


async def test_a_tombstone_goes_when_every_checkpoint_has_passed_it(world: World) -> None:
    async def body() -> None:
        await populated(world)
        leading = world.elect(1)
        await world.lead(leading)
        record = await create(leading, "books")
        await drop(leading, "books")
        keys = world.keys
        await world.clock.sleep(70)
        assert record.id in world.collections()
        for vchannel in record.vchannels:
            at = Position("p", 9, 9000)
            passed = CheckpointRecord(position=at, start=at, dropped=True)
            world.store.txn([], [Put(keys.checkpoint(vchannel), codec.encode(passed))])
        leftover = keys.segment(record.vchannels[0], 5)
        lease = world.store.grant(1000)
        world.store.txn([], [Put(leftover, b"{}", lease)])
        await world.clock.sleep(70)
        assert record.id in world.collections(), "a segment still refers to it"
        world.store.revoke(lease)
        await world.clock.sleep(70)
        assert world.collections() == {}
        assert world.history(record.id) == []
        for n in range(4):
            value = world.value(keys.pchannel(f"headrace-dml-{n}"))
            assert not value or codec.decode(value, PChannelRecord).vchannels == ()

    await play(world, body)


class Failing:
    """A hook that does something at the n-th call of the meta store, before it or after it."""

    def __init__(self, at: int, after: bool, act: Callable[[], Awaitable[None]]) -> None:
        self.calls = 0
        self._at = at
        self._after = after
        self._act = act

    async def before(self, call: MetaCall) -> None:
        if call.method == "watch":
            return
        self.calls += 1
        if self.calls == self._at and not self._after:
            await self._act()

    async def after(self, call: MetaCall) -> None:
        if call.method != "watch" and self.calls == self._at and self._after:
            await self._act()


async def count_calls() -> int:
    """How many calls of the meta store a life with every kind of DDL makes."""
    world = World()
    hook = Failing(-1, False, never)

    async def body() -> None:
        await populated(world)
        leading = world.elect(1, hook)
        await world.lead(leading)
        await everything(leading)

    await play(world, body)
    return hook.calls


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def lose() -> None:
    raise Unavailable("lost")


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "answer lost"])
async def test_whatever_call_of_the_meta_store_is_lost_everything_is_done_once(
    after: bool,
) -> None:
    total = await count_calls()
    assert total > 60
    for at in range(1, total + 1):
        world = World()

        async def body(world: World = world, at: int = at) -> None:
            await populated(world)
            leading = world.elect(1, Failing(at, after, lose))
            await world.lead(leading)
            await everything(leading)
            world.check()

        await play(world, body)


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_wherever_a_leader_dies_its_successor_ends_what_was_recorded(after: bool) -> None:
    total = await count_calls()
    for at in range(1, total + 1):
        world = World()

        async def body(world: World = world, at: int = at) -> None:
            await populated(world)
            died = asyncio.Event()

            async def die() -> None:
                died.set()
                await never()

            first = world.elect(1, Failing(at, after, die))
            asked = asyncio.create_task(life(world, first))
            await died.wait()
            asked.cancel()
            await world.end()
            recorded = world.collections()
            second = world.elect(2)
            await world.lead(second)
            await world.clock.sleep(5)
            world.check()
            for collection_id, record in recorded.items():
                assert world.collections()[collection_id].version == record.version
            await again(second)
            world.check()

        await play(world, body)


async def life(world: World, leading: Leading) -> None:
    await world.lead(leading)
    await everything(leading)


async def again(leading: Leading) -> None:
    """What a client does that never got an answer: each request until it fits."""
    for name in ("books", "films", "novels"):
        await drop(leading, name)
    await everything(leading)


@pytest.mark.parametrize("point", ["masterservice.ddl.recorded", "masterservice.ddl.noted"])
async def test_a_leader_that_dies_at_a_crash_point_is_resumed(world: World, point: str) -> None:
    class Die:
        def __init__(self) -> None:
            self.reached = asyncio.Event()

        def reach(self, name: str) -> None:
            if name == point and not self.reached.is_set():
                self.reached.set()
                raise asyncio.CancelledError

    async def body() -> None:
        await populated(world)
        crash = Die()
        first = world.elect(1, crash=crash)
        await world.lead(first)
        asked = asyncio.create_task(create(first, "books"))
        await crash.reached.wait()
        asked.cancel()
        await world.end()
        (record,) = world.collections().values()
        assert record.noted == (1 if point.endswith("noted") else 0)
        second = world.elect(2)
        await world.lead(second)
        assert (await create(second, "books")).id == record.id
        world.check()

    await play(world, body)


async def test_a_grant_needs_no_call_of_the_meta_store(world: World) -> None:
    async def body() -> None:
        await populated(world)
        hook = Failing(-1, False, never)
        leading = world.elect(1, hook)
        await world.lead(leading)
        await world.clock.sleep(1)
        calls = hook.calls
        pchannels = tuple(world.wanted())
        seen = set()
        for server_id in (1, 2):
            now = world.clock.monotonic()
            response = await leading.ask(
                lambda call, server_id=server_id, now=now: GrantAsked(
                    call=call,
                    request=GrantRequest(server_id=server_id, count=100, pchannels=pchannels),
                    wall_ms=world.clock.wall_ms(),
                    leads_until=now + 1,
                )
            )
            assert [world.wanted()[p] for p in response.pchannels] == [server_id] * 2
            seen.update(range(response.first, response.first + response.count))
        assert len(seen) == 200
        assert hook.calls == calls

    await play(world, body)
