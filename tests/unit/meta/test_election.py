"""Elections: one leads, its successor follows at once, and old transactions are let in nowhere."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from support.world.clock import ManualClock, manual_host
from support.world.edges import Line

from headrace.meta.api import Delete, Put
from headrace.meta.election import Election, Leadership
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import LeaderRecord, Role
from headrace.meta.session import TTL_S, Session
from headrace.model.codec import decode
from headrace.runtime.telemetry import silent

KEYS = Keys()
LEADER = KEYS.leader(Role.MASTER_SERVICE)


@dataclass
class Candidate:
    """A process that wants to lead; `line` is its way to the store."""

    session: Session
    election: Election
    line: Line
    keeping: asyncio.Task[None]

    def die(self) -> None:
        """SIGKILL: nobody keeps its lease."""
        self.line.cut = True
        self.keeping.cancel()


@dataclass
class World:
    """A store and candidates, on one clock."""

    clock: ManualClock
    server: MemoryMetaServer
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def candidate(self, name: str = "master-1") -> Candidate:
        """A process with a session."""
        line = Line()
        meta = self.server.client(name, line)
        host = manual_host(self.clock)
        session = Session(
            meta=meta,
            keys=KEYS,
            host=host,
            telemetry=silent(),
            role=Role.MASTER_SERVICE,
            node_name=name,
            address=f"{name}:1",
        )
        await self.clock.run(session.start())
        keeping = asyncio.create_task(session.run())
        self.tasks.append(keeping)
        election = Election(meta=meta, keys=KEYS, host=host, telemetry=silent(), session=session)
        return Candidate(session, election, line, keeping)

    async def leader(self, name: str = "master-1") -> tuple[Candidate, Leadership]:
        """A candidate that leads."""
        candidate = await self.candidate(name)
        return candidate, await self.clock.run(candidate.election.lead())

    def stored(self) -> LeaderRecord | None:
        """Who leads, as the store has it."""
        item = self.server.read(LEADER, False, 0).first
        return decode(item.value, LeaderRecord) if item else None

    def stands(self, leadership: Leadership) -> bool:
        """Whether a transaction of this leadership would be let in."""
        return self.server.txn([leadership.compare], []).succeeded


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty store."""
    clock = ManualClock()
    made = World(clock, MemoryMetaServer(clock))
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_who_is_alone_leads_at_once(world: World) -> None:
    candidate, leadership = await world.leader()
    assert world.clock.monotonic() == 0
    assert world.stored() == LeaderRecord(
        server_id=candidate.session.server_id, node_name="master-1", address="master-1:1"
    )
    assert leadership.surely_stands(world.clock.monotonic())
    assert world.stands(leadership)


async def test_a_leader_leads_as_long_as_its_session_is_kept(world: World) -> None:
    candidate, leadership = await world.leader()
    ended = asyncio.create_task(candidate.election.ended(leadership))
    other = await world.candidate("master-2")
    waiting = asyncio.create_task(other.election.lead())
    for _ in range(100):
        await world.clock.advance(0.9)
        assert leadership.surely_stands(world.clock.monotonic())
    assert not ended.done()
    assert not waiting.done()
    waiting.cancel()
    ended.cancel()


async def test_a_standby_leads_when_the_leader_is_dead(world: World) -> None:
    first, leadership = await world.leader()
    second = await world.candidate("master-2")
    waiting = asyncio.create_task(second.election.lead())
    await world.clock.advance(10)
    first.die()
    died = world.clock.monotonic()
    successor = await world.clock.run(result_of(waiting))
    assert world.clock.monotonic() - died <= TTL_S + 0.1
    assert world.stands(successor)
    assert not world.stands(leadership)
    stored = world.stored()
    assert stored is not None
    assert stored.server_id == second.session.server_id


async def result_of(task: "asyncio.Task[Leadership]") -> Leadership:
    """Wait for a task."""
    return await task


async def test_a_standby_leads_at_once_when_the_leader_closes_its_session(world: World) -> None:
    first, _ = await world.leader()
    second = await world.candidate("master-2")
    waiting = asyncio.create_task(second.election.lead())
    await world.clock.advance(10)
    await world.clock.run(first.session.close())
    await world.clock.advance(0)
    assert waiting.done()


async def test_of_many_candidates_one_leads(world: World) -> None:
    candidates = [await world.candidate(f"master-{n}") for n in range(5)]
    campaigns = [asyncio.create_task(c.election.lead()) for c in candidates]
    for _ in range(5):
        await world.clock.advance(3)
        leading = [n for n, task in enumerate(campaigns) if task.done()]
        assert len(leading) == 1
        candidates[leading[0]].die()
        await world.clock.advance(TTL_S + 3)
        del candidates[leading[0]], campaigns[leading[0]]


async def test_a_restarted_leader_leads_at_once_again(world: World) -> None:
    first, old = await world.leader()
    standby = await world.candidate("master-2")
    waiting = asyncio.create_task(standby.election.lead())
    await world.clock.advance(1)
    first.die()
    again, new = await world.leader()
    assert world.clock.monotonic() < 2
    assert again.session.server_id > first.session.server_id
    assert world.stands(new)
    assert not world.stands(old)
    await world.clock.advance(30)
    assert world.stands(new)
    assert not waiting.done()
    waiting.cancel()


async def test_a_leader_that_was_frozen_commits_nothing_and_finds_out(world: World) -> None:
    first, old = await world.leader()
    first.line.cut = True
    await world.clock.advance(TTL_S + 1)
    assert not old.surely_stands(world.clock.monotonic())
    second, new = await world.leader("master-2")
    first.line.cut = False
    assert not world.stands(old)
    reason = await world.clock.run(first.election.ended(old))
    assert "master-2" in reason
    await world.clock.advance(TTL_S)
    assert not old.surely_stands(world.clock.monotonic())
    assert new.surely_stands(world.clock.monotonic())
    assert world.stands(new)
    assert second.session.lost_count == 0


async def test_a_leadership_ends_with_its_lease_even_if_nobody_follows(world: World) -> None:
    candidate, leadership = await world.leader()
    ended = asyncio.create_task(candidate.election.ended(leadership))
    await world.clock.advance(1)
    world.server.revoke(candidate.session.lease)
    await world.clock.advance(5)
    assert ended.done()
    assert not leadership.surely_stands(world.clock.monotonic())
    again = await world.clock.run(candidate.election.lead())
    assert again.surely_stands(world.clock.monotonic())
    assert again.revision != leadership.revision


async def test_a_leadership_ends_when_its_key_is_removed(world: World) -> None:
    candidate, leadership = await world.leader()
    ended = asyncio.create_task(candidate.election.ended(leadership))
    await world.clock.advance(1)
    world.server.txn([], [Delete(LEADER)])
    await world.clock.advance(0)
    assert ended.done()


async def test_an_end_while_the_history_is_compacted_is_noticed(world: World) -> None:
    candidate, leadership = await world.leader()
    candidate.line.cut = True
    ended = asyncio.create_task(candidate.election.ended(leadership))
    await world.clock.advance(TTL_S + 2)
    for _ in range(10):
        world.server.txn([], [Put("other", b"x")])
    world.server.compact(world.server.revision)
    candidate.line.cut = False
    await world.clock.advance(3)
    assert ended.done()


async def test_a_second_leadership_of_a_process_has_a_revision_of_its_own(world: World) -> None:
    candidate, first = await world.leader()
    second = await world.clock.run(candidate.election.lead())
    assert not world.stands(first)
    assert world.stands(second)


@pytest.mark.parametrize("method", ["get", "txn", "watch"])
async def test_lost_answers_do_not_stop_a_campaign(world: World, method: str) -> None:
    candidate = await world.candidate()
    candidate.line.lose_answers = {method: 3}
    leadership = await world.clock.run(candidate.election.lead())
    assert world.stands(leadership)


async def test_who_is_not_registered_does_not_lead(world: World) -> None:
    old = await world.candidate()
    await world.candidate()  # replaces it by node name
    campaign = asyncio.create_task(old.election.lead())
    await world.clock.advance(3 * TTL_S)
    assert not campaign.done()
    assert world.stored() is None
    campaign.cancel()
