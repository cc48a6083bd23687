"""Sessions and elections keep their word on every meta store, with its own idea of leases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.servers.etcd import Etcd, etcd, etcd_server

from headrace.app.servers.etcd import NO_FSYNC, EtcdServer
from headrace.meta.api import MetaStore
from headrace.meta.election import Election, Leadership
from headrace.meta.etcd import EtcdMeta
from headrace.meta.etcd_connections import EtcdAccess
from headrace.meta.following import LeaderWatcher, SessionWatcher
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import Role, SessionState
from headrace.meta.session import Session
from headrace.model.errors import Fenced
from headrace.runtime.host import RealClock, real_host
from headrace.runtime.telemetry import silent

__all__ = ["etcd", "etcd_server"]

TTL_S = 2
CLOCK = RealClock()
ROLE = Role.MASTER_SERVICE


@dataclass
class Process:
    """A process of the role, with a way to the store of its own."""

    meta: MetaStore
    session: Session
    election: Election
    keeping: asyncio.Task[None]

    async def die(self) -> None:
        """SIGKILL: nobody keeps its lease."""
        self.keeping.cancel()
        await self.meta.close()


@dataclass
class World:
    """Where processes are made."""

    connect: Callable[[], MetaStore]
    keys: Keys
    made: list[Process]

    async def process(self, name: str) -> Process:
        """One that is registered."""
        meta, host, telemetry = self.connect(), real_host(), silent()
        session = Session(
            meta=meta,
            keys=self.keys,
            host=host,
            telemetry=telemetry,
            role=ROLE,
            node_name=name,
            address=f"{name}:1",
            ttl_s=TTL_S,
        )
        await session.start()
        election = Election(
            meta=meta, keys=self.keys, host=host, telemetry=telemetry, session=session
        )
        process = Process(meta, session, election, asyncio.create_task(session.run()))
        self.made.append(process)
        return process

    async def end(self) -> None:
        """Close what was made."""
        for process in self.made:
            await process.die()
            await asyncio.gather(process.keeping, return_exceptions=True)


@pytest.fixture(params=["memory", "etcd"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One of the adapters."""
    if request.param == "memory":
        server = MemoryMetaServer(CLOCK)
        made = World(server.client, Keys(), [])
    else:
        shared: Etcd = request.getfixturevalue("etcd")
        made = World(lambda: EtcdMeta(shared.access, real_host()), shared.keys, [])
    yield made
    await made.end()


async def stands(process: Process, leadership: Leadership) -> bool:
    """Whether a transaction of this leadership is let in."""
    return (await process.meta.txn([leadership.compare], [])).succeeded


async def test_a_standby_leads_soon_after_the_leader_died(world: World) -> None:
    first, second = await world.process("master-1"), await world.process("master-2")
    old = await first.election.lead()
    waiting = asyncio.create_task(second.election.lead())
    await first.die()
    died = CLOCK.monotonic()
    async with asyncio.timeout(TTL_S + 5):
        new = await waiting
    assert CLOCK.monotonic() - died < TTL_S + 2
    assert not old.surely_stands(CLOCK.monotonic())
    assert await stands(second, new)
    assert not await stands(second, old)


async def test_a_restarted_leader_leads_again_without_waiting_for_its_lease(world: World) -> None:
    first = await world.process("master-1")
    await first.election.lead()
    await first.die()
    died = CLOCK.monotonic()
    again = await world.process("master-1")
    new = await again.election.lead()
    assert CLOCK.monotonic() - died < 1
    assert again.session.server_id > first.session.server_id
    assert await stands(again, new)


async def test_of_two_processes_of_one_name_the_older_stops(world: World) -> None:
    old = await world.process("master-1")
    new = await world.process("master-1")
    async with asyncio.timeout(TTL_S + 2):
        with pytest.raises(Fenced):
            await old.keeping
    assert new.session.is_held(CLOCK.monotonic())


async def test_peers_are_seen_as_they_come_change_and_go(world: World) -> None:
    meta, host, telemetry = world.connect(), real_host(), silent()
    sessions = SessionWatcher(meta, world.keys, ROLE, host, telemetry)
    leader = LeaderWatcher(meta, world.keys, ROLE, host, telemetry)
    running = [asyncio.create_task(w.run()) for w in (sessions, leader)]

    async def seen(expected: dict[str, SessionState]) -> None:
        async with asyncio.timeout(TTL_S + 5):
            while True:
                count = sessions.changes.count
                if {n: s.state for n, s in sessions.sessions.items()} == expected:
                    return
                await sessions.changes.after(count)

    first, second = await world.process("master-1"), await world.process("master-2")
    await seen(dict.fromkeys(("master-1", "master-2"), SessionState.INITIALIZING))
    await second.session.set_state(SessionState.HEALTHY)
    await seen({"master-1": SessionState.INITIALIZING, "master-2": SessionState.HEALTHY})
    await first.election.lead()
    async with asyncio.timeout(5):
        assert (await leader.found()).node_name == "master-1"
    await first.session.close()
    await seen({"master-2": SessionState.HEALTHY})
    await second.die()
    await seen({})
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await meta.close()


async def test_an_etcd_that_is_away_for_longer_than_a_lease_ends_no_session(
    tmp_path: Path,
) -> None:
    server = EtcdServer(tmp_path / "etcd", flags=(NO_FSYNC,))
    await server.start()
    access = EtcdAccess(endpoints=(server.endpoint,))
    world = World(lambda: EtcdMeta(access, real_host()), Keys(), [])
    process = await world.process("master-1")
    leadership = await process.election.lead()
    ended = asyncio.create_task(process.election.ended(leadership))
    await server.kill()
    async with asyncio.timeout(TTL_S + 2):
        while process.session.is_held(CLOCK.monotonic()):
            await CLOCK.sleep(0.05)
    assert not leadership.surely_stands(CLOCK.monotonic())
    await server.start()
    async with asyncio.timeout(TTL_S + 5):
        while not leadership.surely_stands(CLOCK.monotonic()):
            await CLOCK.sleep(0.05)
    assert process.session.lost_count == 0
    assert await stands(process, leadership)
    assert not ended.done()
    ended.cancel()
    await world.end()
    await server.stop()
