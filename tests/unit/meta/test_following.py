"""Copies kept by watch: nothing is missed, whatever happens between listing and watching."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from support.world.clock import ManualClock, manual_host
from support.world.edges import Line

from headrace.meta.api import Delete, Put
from headrace.meta.following import LeaderWatcher, SessionWatcher
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import LeaderRecord, Role, SessionRecord, SessionState
from headrace.model.codec import encode
from headrace.runtime.telemetry import silent

KEYS = Keys()


def record(name: str, server_id: int) -> SessionRecord:
    """A data node's session."""
    return SessionRecord(
        role=Role.DATA_NODE,
        node_name=name,
        server_id=server_id,
        address=f"{name}:1",
        state=SessionState.HEALTHY,
    )


@dataclass
class World:
    """A store, and a watcher of data nodes on a line that can be cut."""

    clock: ManualClock
    server: MemoryMetaServer
    line: Line
    watcher: SessionWatcher
    states: list[list[str]]
    running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the watcher and let it do what it can."""
        self.running = asyncio.create_task(self.watcher.run())
        await self.clock.advance(0)

    def put(self, name: str, server_id: int) -> None:
        """Another process registers."""
        key = KEYS.session(Role.DATA_NODE, name)
        self.server.txn([], [Put(key, encode(record(name, server_id)))])

    def remove(self, name: str) -> None:
        """It is gone."""
        self.server.txn([], [Delete(KEYS.session(Role.DATA_NODE, name))])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A watcher that a test starts."""
    clock = ManualClock()
    server = MemoryMetaServer(clock)
    line = Line()
    states: list[list[str]] = []
    watcher = SessionWatcher(
        server.client("watcher", line),
        KEYS,
        Role.DATA_NODE,
        manual_host(clock),
        silent(),
        lambda: states.append(list(watcher.sessions)),
    )
    made = World(clock, server, line, watcher, states)
    made.put("n-1", 1)
    yield made
    assert made.running is not None
    made.running.cancel()
    await asyncio.gather(made.running, return_exceptions=True)


async def test_the_first_state_is_the_list(world: World) -> None:
    assert not world.watcher.listed
    await world.start()
    assert world.watcher.listed
    assert world.watcher.sessions == {"n-1": record("n-1", 1)}


async def test_every_change_is_a_state_in_order_of_names(world: World) -> None:
    await world.start()
    world.put("n-3", 3)
    await world.clock.advance(0)
    world.put("n-2", 2)
    await world.clock.advance(0)
    world.remove("n-1")
    await world.clock.advance(0)
    assert world.states == [["n-1"], ["n-1", "n-3"], ["n-1", "n-2", "n-3"], ["n-2", "n-3"]]


async def test_other_roles_are_not_seen(world: World) -> None:
    await world.start()
    world.server.txn([], [Put(KEYS.session(Role.PROXY, "p-1"), b"not even a record")])
    await world.clock.advance(1)
    assert len(world.states) == 1


async def test_nothing_is_missed_while_the_line_is_cut(world: World) -> None:
    await world.start()
    world.line.cut = True
    world.put("n-2", 2)
    world.remove("n-1")
    await world.clock.advance(10)
    assert list(world.watcher.sessions) == ["n-1"]
    world.line.cut = False
    await world.clock.advance(2)
    assert list(world.watcher.sessions) == ["n-2"]


async def test_what_is_compacted_meanwhile_is_listed_anew(world: World) -> None:
    await world.start()
    world.line.cut = True
    world.put("n-2", 2)
    world.remove("n-1")
    world.put("n-3", 3)
    world.server.compact(world.server.revision)
    await world.clock.advance(10)
    world.line.cut = False
    await world.clock.advance(2)
    assert list(world.watcher.sessions) == ["n-2", "n-3"]


async def test_a_store_that_is_away_at_first_is_waited_for(world: World) -> None:
    world.line.cut = True
    await world.start()
    await world.clock.advance(30)
    assert not world.watcher.listed
    world.line.cut = False
    await world.clock.advance(2)
    assert world.watcher.listed


async def test_a_value_that_is_no_record_is_left_out(world: World) -> None:
    await world.start()
    world.server.txn([], [Put(KEYS.session(Role.DATA_NODE, "n-2"), b"{}")])
    world.put("n-3", 3)
    await world.clock.advance(1)
    assert list(world.watcher.sessions) == ["n-1", "n-3"]


async def test_a_leader_is_waited_for_and_followed() -> None:
    clock = ManualClock()
    server = MemoryMetaServer(clock)
    watcher = LeaderWatcher(
        server.client("watcher"), KEYS, Role.DATA_SERVICE, manual_host(clock), silent()
    )
    running = asyncio.create_task(watcher.run())
    finding = asyncio.create_task(watcher.found())
    await clock.advance(5)
    assert watcher.listed
    assert not finding.done()
    leader = LeaderRecord(server_id=4, node_name="data-service-1", address="d:1")
    server.txn([], [Put(KEYS.leader(Role.DATA_SERVICE), encode(leader))])
    await clock.advance(0)
    assert finding.result() == leader
    server.txn([], [Delete(KEYS.leader(Role.DATA_SERVICE))])
    await clock.advance(0)
    assert watcher.leader is None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
