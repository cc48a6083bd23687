"""Faults on the way, and whose tasks are whose, in the simulator's network."""

import asyncio
import contextvars
from collections.abc import Sequence

import pytest
from support.world.clock import ManualClock, settle

from headrace.model.errors import Unavailable
from headrace.rpc.api import NotSent
from headrace.rpc.memory import Call, MemoryNetwork
from headrace.rpc.messages import AllocIdsRequest, AllocIdsResponse


class Planned:
    """Faults as a test wants them."""

    def __init__(
        self, there: Sequence[float] = (0.0,), back: float | None = 0.0, error: str = ""
    ) -> None:
        self.there = there
        self.back = back
        self.error = error

    def request_delays(self, call: Call) -> Sequence[float]:
        """See `Faults`."""
        if self.error:
            raise Unavailable(self.error)
        return self.there

    def response_delay(self, call: Call) -> float | None:
        """See `Faults`."""
        return self.back


class Counting:
    """A handler that counts, and may wait."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def __call__(self, request: AllocIdsRequest) -> AllocIdsResponse:
        self.calls.append(request.count)
        await self.let_go.wait()
        return AllocIdsResponse(len(self.calls), request.count)


async def test_delays_add_up_on_the_way_there_and_back() -> None:
    clock = ManualClock()
    network = MemoryNetwork(clock, Planned((2.0,), 3.0))
    server = network.server("a:1")
    await server.start({AllocIdsRequest: Counting()})
    await clock.run(network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60))
    assert clock.monotonic() == 5.0


@pytest.mark.parametrize("faults", [Planned(()), Planned((0.0,), None)], ids=["there", "back"])
async def test_what_is_lost_is_unavailable_when_the_time_is_over(faults: Planned) -> None:
    clock = ManualClock()
    network = MemoryNetwork(clock, faults)
    handler = Counting()
    await network.server("a:1").start({AllocIdsRequest: handler})
    with pytest.raises(Unavailable):
        await clock.run(network.peers().call("a:1", AllocIdsRequest(1), timeout_s=7))
    assert clock.monotonic() == 7.0
    assert len(handler.calls) == len(faults.there)


async def test_a_repeated_request_is_handled_each_time_and_answered_once() -> None:
    clock = ManualClock()
    network = MemoryNetwork(clock, Planned((0.0, 4.0)))
    handler = Counting()
    await network.server("a:1").start({AllocIdsRequest: handler})
    answer = await clock.run(network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60))
    assert (answer.first, len(handler.calls)) == (1, 1)
    await clock.advance(5)
    assert len(handler.calls) == 2


async def test_faults_may_raise_for_the_caller() -> None:
    clock = ManualClock()
    network = MemoryNetwork(clock, Planned(error="cut off"))
    await network.server("a:1").start({AllocIdsRequest: Counting()})
    with pytest.raises(Unavailable, match="cut off"):
        await network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60)


async def test_a_killed_server_resets_its_callers_and_then_refuses() -> None:
    clock = ManualClock()
    network = MemoryNetwork(clock)
    handler = Counting()
    handler.let_go.clear()
    await network.server("a:1").start({AllocIdsRequest: handler})
    call = asyncio.create_task(network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60))
    await settle()
    network.kill("a:1")
    with pytest.raises(Unavailable) as caught:
        await call
    assert not isinstance(caught.value, NotSent)
    with pytest.raises(NotSent):
        await network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60)


async def test_a_request_on_its_way_to_a_killed_server_is_reset() -> None:
    clock = ManualClock()
    network = MemoryNetwork(clock, Planned((5.0,)))
    await network.server("a:1").start({AllocIdsRequest: Counting()})
    call = asyncio.create_task(network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60))
    await settle()
    network.kill("a:1")
    await clock.advance(5)
    with pytest.raises(Unavailable) as caught:
        await call
    assert not isinstance(caught.value, NotSent)


async def test_a_request_arrives_although_its_sender_is_gone() -> None:
    clock = ManualClock()
    network = MemoryNetwork(clock, Planned((5.0,)))
    handler = Counting()
    await network.server("a:1").start({AllocIdsRequest: handler})
    call = asyncio.create_task(network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60))
    await settle()
    call.cancel()
    await clock.advance(5)
    assert handler.calls == [1]


async def test_handlers_belong_to_the_process_that_serves() -> None:
    process: contextvars.ContextVar[str] = contextvars.ContextVar("process", default="world")
    clock = ManualClock()
    network = MemoryNetwork(clock)
    ran_in: list[str] = []

    async def handler(request: AllocIdsRequest) -> AllocIdsResponse:
        ran_in.append(process.get())
        return AllocIdsResponse(1, 1)

    async def serve() -> None:
        process.set("server")
        await network.server("a:1").start({AllocIdsRequest: handler})

    async def ask() -> str:
        process.set("asker")
        await network.peers().call("a:1", AllocIdsRequest(1), timeout_s=60)
        return process.get()

    await asyncio.create_task(serve())
    assert await asyncio.create_task(ask()) == "asker"
    assert ran_in == ["server"]


async def test_a_handler_that_breaks_is_told() -> None:
    told: list[tuple[object, Exception]] = []
    network = MemoryNetwork(ManualClock(), failed=lambda *what: told.append(what))
    broken = AssertionError("impossible")

    async def handler(request: AllocIdsRequest) -> AllocIdsResponse:
        raise broken

    await network.server("a:1").start({AllocIdsRequest: handler})
    with pytest.raises(Unavailable):
        await network.peers().call("a:1", AllocIdsRequest(3), timeout_s=60)
    assert told == [(AllocIdsRequest(3), broken)]


async def test_a_response_of_another_type_is_a_bug() -> None:
    told: list[Exception] = []
    network = MemoryNetwork(ManualClock(), failed=lambda _, error: told.append(error))

    async def handler(request: AllocIdsRequest) -> AllocIdsRequest:
        return request

    await network.server("a:1").start({AllocIdsRequest: handler})
    with pytest.raises(Unavailable):
        await network.peers().call("a:1", AllocIdsRequest(3), timeout_s=60)
    assert isinstance(told[0], AssertionError)
