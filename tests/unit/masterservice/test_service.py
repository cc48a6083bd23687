"""The master service as a process, on the in-memory edges, with its session and the election."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.world.masterservice import World, create_request

from headrace.masterservice.service import MasterService
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import Put
from headrace.meta.memory import MetaCall
from headrace.meta.records import (
    LeaderRecord,
    Role,
    SessionRecord,
    SessionState,
)
from headrace.model import codec
from headrace.model.errors import Fenced, HeadraceError, Invalid, Unavailable
from headrace.rpc.messages import (
    AllocIdsRequest,
    AllocTimestampRequest,
    DropCollectionRequest,
    GrantRequest,
    PartitionRequest,
    RenameCollectionRequest,
    SetClientStateRequest,
    StatusRequest,
    SuspectRequest,
)


class Cut:
    """A hook that cuts a process off from the meta store while `cut` is set."""

    def __init__(self) -> None:
        self.cut = False

    async def before(self, call: MetaCall) -> None:
        if self.cut:
            raise Unavailable("cut off")

    async def after(self, call: MetaCall) -> None:
        if self.cut:
            raise Unavailable("cut off")


class Masters:
    """Processes of the master service in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.peers = world.network.peers("client")
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.services: dict[str, MasterService] = {}
        self.hooks: dict[str, Cut] = {}

    def start(self, name: str, settings: MasterServiceSettings | None = None) -> MasterService:
        hook = Cut()
        service = MasterService(
            self.world.process(settings or self.world.settings, name, hook=hook)
        )
        self.services[name], self.hooks[name] = service, hook
        self.tasks[name] = asyncio.create_task(service.run())
        return service

    def kill(self, name: str) -> None:
        """Nothing is given back: the lease has to end."""
        self.hooks[name].cut = True
        self.tasks[name].cancel()

    def leader(self) -> str:
        value = self.world.value(self.world.keys.leader(Role.MASTER_SERVICE))
        return codec.decode(value, LeaderRecord).address if value else ""

    async def call(self, request: Any) -> Any:
        """As a client of the role does: ask the leader until there is an answer."""
        while True:
            try:
                return await self.peers.call(self.leader(), request, timeout_s=10)
            except (Fenced, Unavailable):
                await self.world.clock.sleep(0.05)

    async def until(self, condition: Callable[[], bool]) -> float:
        """How long it took."""
        began = self.world.clock.monotonic()
        while not condition():
            await self.world.clock.sleep(0.02)
        return self.world.clock.monotonic() - began

    async def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def play(body: Callable[[Masters], Awaitable[None]], proxies: int = 2) -> None:
    world = World()
    masters = Masters(world)

    async def whole() -> None:
        for server_id in range(101, 101 + proxies):
            await world.add_proxy(server_id)
        await world.add_data_service()
        try:
            await body(masters)
        finally:
            await masters.end()

    await world.clock.run(whole())


async def test_it_registers_leads_and_serves() -> None:
    async def body(masters: Masters) -> None:
        service = masters.start("master-1")
        assert not service.healthy
        await masters.until(lambda: service.healthy and service.leads)
        key = masters.world.keys.session(Role.MASTER_SERVICE, "master-1")
        record = codec.decode(masters.world.value(key), SessionRecord)
        assert record.state is SessionState.HEALTHY
        response = await masters.call(create_request("books"))
        books = response.record
        await masters.call(PartitionRequest(collection="books", partition="new"))
        await masters.call(RenameCollectionRequest("books", "novels"))
        await masters.call(SetClientStateRequest(collection_id=books.id, topic="load", value=b"1"))
        first = (await masters.call(AllocTimestampRequest())).timestamp
        assert (await masters.call(AllocTimestampRequest())).timestamp > first
        assert (await masters.call(AllocIdsRequest(5))).count == 5
        await masters.call(DropCollectionRequest("novels"))
        masters.world.check()

    await play(body)


async def test_a_standby_answers_fenced_and_how_it_is() -> None:
    async def body(masters: Masters) -> None:
        masters.start("master-1")
        await masters.until(lambda: masters.services["master-1"].leads)
        standby = masters.start("master-2")
        await masters.until(lambda: standby.healthy)
        with pytest.raises(Fenced):
            await masters.peers.call("master-2:2", AllocTimestampRequest(), timeout_s=1)
        with pytest.raises(Fenced):
            request = SuspectRequest(server_id=1, address="x")
            await masters.peers.call("master-2:2", request, timeout_s=1)
        status = await masters.peers.call("master-2:2", StatusRequest("nodes"), timeout_s=1)
        assert (status.state, status.details) == ("healthy", {})

    await play(body)


async def test_a_standby_takes_over_when_the_leader_is_killed() -> None:
    async def body(masters: Masters) -> None:
        masters.start("master-1")
        await masters.until(lambda: masters.services["master-1"].leads)
        before = (await masters.call(AllocTimestampRequest())).timestamp
        ids = (await masters.call(AllocIdsRequest(10))).first
        masters.start("master-2")
        await masters.until(lambda: masters.services["master-2"].healthy)
        masters.kill("master-1")
        took_s = await masters.until(lambda: masters.services["master-2"].leads)
        assert took_s < masters.world.settings.lease_ttl_s + 1
        assert (await masters.call(AllocTimestampRequest())).timestamp > before
        assert (await masters.call(AllocIdsRequest(10))).first >= ids + 10

    await play(body)


async def test_after_a_clean_stop_the_standby_leads_at_once() -> None:
    async def body(masters: Masters) -> None:
        masters.start("master-1")
        await masters.until(lambda: masters.services["master-1"].leads)
        masters.start("master-2")
        await masters.until(lambda: masters.services["master-2"].healthy)
        masters.services["master-1"].stop()
        took_s = await masters.until(lambda: masters.services["master-2"].leads)
        assert took_s < 1.5
        await masters.tasks["master-1"]

    await play(body)


async def test_a_restarted_process_replaces_the_one_before() -> None:
    async def body(masters: Masters) -> None:
        masters.start("master-1")
        await masters.until(lambda: masters.services["master-1"].leads)
        older = masters.tasks["master-1"]
        younger = masters.start("master-1")
        await masters.until(lambda: younger.leads)
        with pytest.raises(Fenced):
            await older
        await masters.call(create_request("books"))
        masters.world.check()

    await play(body)


async def test_a_leader_that_cannot_renew_its_lease_gives_no_timestamps() -> None:
    async def body(masters: Masters) -> None:
        first = masters.start("master-1")
        await masters.until(lambda: first.leads)
        masters.start("master-2")
        await masters.until(lambda: masters.services["master-2"].healthy)
        masters.hooks["master-1"].cut = True
        given: dict[str, list[int]] = {"master-1:1": [], "master-2:2": []}
        while len(given["master-2:2"]) < 20:
            for address, timestamps in given.items():
                try:
                    response = await masters.peers.call(
                        address, AllocTimestampRequest(), timeout_s=1
                    )
                except HeadraceError:
                    await masters.world.clock.sleep(0.05)
                else:
                    timestamps.append(response.timestamp)
        assert given["master-1:1"], "it goes on as long as it surely leads"
        assert max(given["master-1:1"]) < min(given["master-2:2"])
        masters.hooks["master-1"].cut = False
        await masters.until(lambda: first.healthy and not first.leads)

    await play(body)


async def test_its_own_settings_must_fit_the_cluster() -> None:
    async def body(masters: Masters) -> None:
        masters.start("master-1")
        await masters.until(lambda: masters.services["master-1"].leads)
        masters.services["master-1"].stop()
        await masters.tasks["master-1"]
        masters.start("master-1", MasterServiceSettings(pchannels=5))
        with pytest.raises(Invalid, match="4 pchannels"):
            await masters.tasks["master-1"]

    await play(body)


async def test_proxies_are_followed_by_their_sessions() -> None:
    async def body(masters: Masters) -> None:
        world = masters.world
        masters.start("master-1")
        await masters.until(lambda: sorted(world.wanted().values()) == [101, 101, 102, 102])
        await world.add_proxy(103)
        await masters.until(lambda: len(set(world.wanted().values())) == 3)
        world.end_session(101)
        took_s = await masters.until(lambda: 101 not in world.wanted().values())
        assert took_s < 0.1

    await play(body)


async def test_a_suspicion_moves_pchannels_before_the_lease_ends() -> None:
    async def body(masters: Masters) -> None:
        world = masters.world
        masters.start("master-1")
        await masters.until(lambda: sorted(world.wanted().values()) == [101, 101, 102, 102])
        request = SuspectRequest(server_id=101, address=world.proxies[101].session.address)
        await masters.call(request)
        await world.clock.sleep(1)
        assert 101 in world.wanted().values(), "it answers: nothing rests on hearsay"
        world.proxies[101].kill()
        await masters.call(request)
        took_s = await masters.until(lambda: 101 not in world.wanted().values())
        assert took_s < 0.5

    await play(body)


async def test_another_process_at_a_suspected_address_means_that_it_has_gone() -> None:
    async def body(masters: Masters) -> None:
        world = masters.world
        masters.start("master-1")
        await masters.until(lambda: sorted(world.wanted().values()) == [101, 101, 102, 102])
        session = world.proxies[101].session
        world.proxies[101].server_id = 555
        await masters.call(SuspectRequest(server_id=101, address=session.address))
        await masters.until(lambda: 101 not in world.wanted().values())

    await play(body)


async def test_grants_name_the_pchannels_of_the_asker() -> None:
    async def body(masters: Masters) -> None:
        world = masters.world
        masters.start("master-1")
        await masters.until(lambda: len(world.wanted()) == 4)
        await world.clock.sleep(0.5)
        wanted = world.wanted()
        for server_id in (101, 102, 999):
            request = GrantRequest(server_id=server_id, count=100, pchannels=tuple(wanted))
            response = await masters.call(request)
            mine = tuple(p for p, owner in wanted.items() if owner == server_id)
            assert response.pchannels == mine
            assert response.count == (100 if mine else 0)

    await play(body)


async def test_what_it_says_of_itself() -> None:
    async def body(masters: Masters) -> None:
        masters.start("master-1")
        await masters.until(lambda: len(masters.world.wanted()) == 4)
        await masters.call(create_request("books"))

        async def details(topic: str) -> dict[str, Any]:
            found: dict[str, Any] = (await masters.call(StatusRequest(topic))).details
            return found

        assert await details("") == {}
        assert [row["pchannels"] for row in (await details("nodes"))["proxies"]] == [2, 2]
        assert len((await details("channels"))["sequencers"]) == 4
        assert "RecordCollection" in (await details("story:books"))["story"]

    await play(body)


async def test_the_settings_of_a_foreign_layout_end_the_process() -> None:
    async def body(masters: Masters) -> None:
        masters.world.store.txn([], [Put(masters.world.keys.layout, b"7")])
        masters.start("master-1")
        with pytest.raises(Invalid, match="version 7"):
            await masters.tasks["master-1"]

    await play(body)
