"""One leads, the others stand by; a leadership that ends leaves nothing behind."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from support.world.clock import ManualClock
from support.world.edges import Edges

from headrace.frame.actor import Actor, Ask
from headrace.frame.leader import LeaderService
from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import Delete
from headrace.meta.records import Role
from headrace.model.errors import Fenced, Unavailable
from headrace.rpc.messages import AllocIdsRequest, AllocIdsResponse, DropCollectionRequest
from headrace.runtime.callers import Callers
from headrace.runtime.journal.steps import Journal
from headrace.runtime.retry import Pauses
from headrace.runtime.supervise import TaskGroup


@dataclass(frozen=True)
class Settings:
    lease_ttl_s: int = 5

    @property
    def pauses(self) -> Pauses:
        return Pauses(0.05, 1.0)


@dataclass(frozen=True)
class Asked:
    call: int
    count: int


class Ids:
    """Answers with the ids asked for; 0 is never answered."""

    def step(self, event: Asked, now: float) -> list[Asked]:
        return [event] if event.count else []

    def validate(self) -> None:
        return


class Master(LeaderService[Settings, Ids, Asked]):
    role = Role.MASTER_SERVICE
    reading: asyncio.Event | None = None  # what `lead` waits for

    async def lead(self, store: LeaderStore, group: TaskGroup) -> Actor[Ids, Asked]:
        if self.reading is not None:
            await self.reading.wait()
        callers = Callers()

        async def perform(effect: Asked) -> Asked | None:
            callers.answer(effect.call, AllocIdsResponse(1, effect.count))
            return None

        return Actor(
            "ids", Ids(), perform, self.around, callers=callers, journal=Journal(), ended=Fenced
        )

    def asks(self) -> Sequence[Ask[Any, Asked]]:
        return (
            Ask(AllocIdsRequest, lambda call, r: Asked(call, r.count)),
            Ask(DropCollectionRequest, lambda call, r: Asked(call, 1), not_leading=Unavailable),
        )


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.edges = Edges(clock=self.clock)
        self.peers = self.edges.network.peers("client")
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, name: str, reading: asyncio.Event | None = None) -> Master:
        around = self.edges.process(Settings(), name)
        master = Master(around, leads=around.telemetry.gauge("leads", "1 while it leads"))
        master.reading = reading
        self.tasks.append(asyncio.create_task(master.run()))
        await self.clock.advance(1)
        return master

    async def ask(self, master: Master, request: Any) -> Any:
        return await self.peers.call(master.address, request, timeout_s=30.0)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_the_leader_answers_and_who_stands_by_says_that_it_does_not_lead() -> None:
    scene = Scene()
    leader, other = await scene.start("one"), await scene.start("two")
    answer = await scene.clock.run(scene.ask(leader, AllocIdsRequest(3)))
    assert answer == AllocIdsResponse(1, 3)
    with pytest.raises(Fenced, match="two does not lead"):
        await scene.clock.run(scene.ask(other, AllocIdsRequest(3)))
    with pytest.raises(Unavailable, match="two does not lead"):
        await scene.clock.run(scene.ask(other, DropCollectionRequest("books")))
    assert leader.healthy and other.healthy
    await scene.end()


async def test_while_a_leader_still_reads_callers_ask_again_later() -> None:
    scene = Scene()
    read = asyncio.Event()
    leader = await scene.start("one", read)
    with pytest.raises(Unavailable, match="begins to lead"):
        await scene.clock.run(scene.ask(leader, AllocIdsRequest(3)))
    read.set()
    await scene.clock.advance(1)
    assert await scene.clock.run(scene.ask(leader, AllocIdsRequest(3)))
    await scene.end()


async def test_when_the_leader_key_goes_callers_are_told_and_it_campaigns_again() -> None:
    scene = Scene()
    leader = await scene.start("one")
    first = leader.leadership
    waiting = asyncio.create_task(scene.ask(leader, AllocIdsRequest(0)))
    await scene.clock.advance(1)
    scene.edges.store.txn([], [Delete(scene.edges.keys.leader(Role.MASTER_SERVICE))])
    await scene.clock.advance(1)
    with pytest.raises(Fenced, match="the leader key has gone"):
        await waiting
    await scene.clock.advance(5)
    assert first is not None and leader.leadership is not None
    assert leader.leadership.revision > first.revision
    assert await scene.clock.run(scene.ask(leader, AllocIdsRequest(3)))
    await scene.end()


async def test_a_leadership_that_ends_while_it_reads_never_answers() -> None:
    scene = Scene()
    read = asyncio.Event()
    leader = await scene.start("one", read)
    scene.edges.store.txn([], [Delete(scene.edges.keys.leader(Role.MASTER_SERVICE))])
    await scene.clock.advance(1)
    old = leader.leadership
    read.set()
    await scene.clock.advance(5)
    assert leader.leadership is not None and leader.leadership is not old
    await scene.end()
