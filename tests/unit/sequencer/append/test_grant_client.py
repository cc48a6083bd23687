"""The client: one call for timestamps in flight for all pchannels of a process."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.world.clock import ManualClock

from headrace.model.errors import Unavailable
from headrace.rpc.messages import GrantRequest, GrantResponse
from headrace.sequencer.append.grant_client import GrantClient
from headrace.sequencer.settings import SequencerSettings


class Office:
    """A master service that answers each call by hand."""

    def __init__(self) -> None:
        self.calls: list[tuple[GrantRequest, asyncio.Future[GrantResponse]]] = []

    async def call(self, address: str, request: Any, *, timeout_s: float) -> Any:
        answer: asyncio.Future[GrantResponse] = asyncio.get_running_loop().create_future()
        self.calls.append((request, answer))
        return await answer

    async def close(self) -> None:
        return None

    def answer(self, number: int, first: int) -> None:
        request, answer = self.calls[number]
        answer.set_result(
            GrantResponse(first=first, count=request.count, pchannels=request.pchannels)
        )


class Bench:
    """A client that runs, its office, and who leads."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.office = Office()
        self.leader: str | None = "here:1"
        self.client = GrantClient(
            settings=SequencerSettings(grant_pause_s=0.01, grant_count=4096),
            clock=self.clock,
            peers=self.office,
            master_address=lambda: self.leader,
            server_id=lambda: 3,
        )
        self.running = asyncio.create_task(self.client.run())

    def ask(self, pchannel: str) -> "asyncio.Task[GrantResponse]":
        return asyncio.create_task(self.client.ask(pchannel))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.running.cancel()


async def test_who_asks_while_a_call_is_out_shares_the_next_one(bench: Bench) -> None:
    first = bench.ask("p-0")
    await bench.clock.advance(0)
    later = [bench.ask("p-2"), bench.ask("p-1"), bench.ask("p-1")]
    await bench.clock.advance(1.0)
    assert [request.pchannels for request, _ in bench.office.calls] == [("p-0",)]
    bench.office.answer(0, 100)
    await bench.clock.advance(1.0)
    assert first.result().first == 100
    assert not any(task.done() for task in later)
    assert bench.office.calls[1][0].pchannels == ("p-1", "p-2")
    bench.office.answer(1, 9000)
    await bench.clock.advance(1.0)
    assert {task.result().first for task in later} == {9000}


async def test_calls_begin_a_pause_apart(bench: Bench) -> None:
    bench.ask("p-0")
    await bench.clock.advance(0)
    bench.office.answer(0, 100)
    bench.ask("p-0")
    await bench.clock.advance(0.009)
    assert len(bench.office.calls) == 1
    await bench.clock.advance(0.002)
    assert len(bench.office.calls) == 2


async def test_all_who_share_a_call_that_fails_are_told(bench: Bench) -> None:
    asked = [bench.ask("p-0"), bench.ask("p-1")]
    await bench.clock.advance(0)
    bench.office.calls[0][1].set_exception(Unavailable("away"))
    await bench.clock.advance(0)
    for task in asked:
        assert isinstance(task.exception(), Unavailable)


async def test_without_a_leader_there_is_no_call(bench: Bench) -> None:
    bench.leader = None
    asked = bench.ask("p-0")
    await bench.clock.advance(0)
    assert isinstance(asked.exception(), Unavailable)
    assert bench.office.calls == []


async def test_whoever_has_gone_keeps_nobody_else_waiting(bench: Bench) -> None:
    gone, stays = bench.ask("p-0"), bench.ask("p-0")
    await bench.clock.advance(0)
    gone.cancel()
    await bench.clock.advance(0)
    bench.office.answer(0, 7)
    await bench.clock.advance(0)
    assert stays.result().first == 7
