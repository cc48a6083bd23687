"""What every pair of peers and server keeps to: in memory and over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from headrace.model.channel import Position
from headrace.model.errors import (
    Conflict,
    Corrupt,
    Fenced,
    HeadraceError,
    Invalid,
    NotFound,
    Unavailable,
)
from headrace.rpc.api import NotSent, Peers, Server
from headrace.rpc.grpc import GrpcPeers, GrpcServer
from headrace.rpc.memory import MemoryNetwork
from headrace.rpc.messages import (
    AllocIdsRequest,
    AllocIdsResponse,
    AppendRequest,
    AppendResponse,
    LastPositionRequest,
    PositionResponse,
    StatusRequest,
)
from headrace.runtime.host import RealClock
from headrace.runtime.telemetry import Silent, Telemetry


@dataclass
class World:
    """Peers, and servers at free addresses or at one that a server had before."""

    peers: Peers
    make_server: Callable[[str], Server]
    failures: list[Exception]
    made: list[Server]

    def server(self, address: str = "") -> Server:
        """A server, stopped at the end."""
        server = self.make_server(address)
        self.made.append(server)
        return server


class Errors(Silent):
    """Keeps what a server says of handlers that failed."""

    def __init__(self, failures: list[Exception]) -> None:
        self._failures = failures

    def error(self, event: str, **values: Any) -> None:
        """See `Logger`."""
        self._failures.append(values["exc_info"])


@pytest.fixture(params=["memory", "grpc"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One of the adapters."""
    failures: list[Exception] = []
    if request.param == "memory":
        network = MemoryNetwork(RealClock(), failed=lambda _, error: failures.append(error))
        made = World(network.peers("asker"), network.server, failures, [])
    else:
        telemetry = Telemetry(Errors(failures))
        made = World(
            GrpcPeers(RealClock()),
            lambda address: GrpcServer(telemetry, port=int(address.rpartition(":")[2] or 0)),
            failures,
            [],
        )
    yield made
    await made.peers.close()
    for server in made.made:
        await server.stop()


async def answer_ids(request: AllocIdsRequest) -> AllocIdsResponse:
    """A handler."""
    return AllocIdsResponse(first=100, count=request.count)


async def test_a_request_is_answered(world: World) -> None:
    server = world.server()
    await server.start({AllocIdsRequest: answer_ids})
    response = await world.peers.call(server.address, AllocIdsRequest(5), timeout_s=5)
    assert response == AllocIdsResponse(100, 5)


async def test_servers_have_addresses_of_their_own(world: World) -> None:
    first, second = world.server(), world.server()
    await first.start({})
    await second.start({})
    assert first.address != second.address


async def test_an_address_in_use_is_invalid(world: World) -> None:
    first = world.server()
    await first.start({})
    with pytest.raises(Invalid) as caught:
        await world.server(first.address).start({})
    assert caught.value.field == "address"


async def test_calls_are_handled_side_by_side(world: World) -> None:
    all_here = asyncio.Event()
    here = 0

    async def wait_for_all(request: LastPositionRequest) -> PositionResponse:
        nonlocal here
        here += 1
        if here == 20:
            all_here.set()
        await all_here.wait()
        return PositionResponse(Position(request.pchannel, here, 1))

    server = world.server()
    await server.start({LastPositionRequest: wait_for_all})
    names = [f"c-{n}" for n in range(20)]
    answers = await asyncio.gather(
        *(world.peers.call(server.address, LastPositionRequest(n), timeout_s=5) for n in names)
    )
    assert [answer.position.pchannel for answer in answers] == names


async def test_seventy_megabytes_arrive(world: World) -> None:
    body = bytes(range(256)) * (70 << 12)

    async def repeat(request: AppendRequest) -> AppendResponse:
        return AppendResponse(outcome="done", rows=len(request.body), keys=request.body)

    server = world.server()
    await server.start({AppendRequest: repeat})
    request = AppendRequest(
        vchannel="c-0_7v0",
        collection_id=7,
        partition_id=1,
        version=1,
        part_id=b"",
        fingerprint=b"",
        first_sent=1,
        keyed=False,
        rows=1,
        body=memoryview(body),
    )
    response = await world.peers.call(server.address, request, timeout_s=30)
    assert response.rows == len(body)
    assert response.keys == body


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("later"),
        Fenced("someone newer: ü, ✓"),
        Conflict("changed"),
        Invalid("wrong", field="dim", code=65),
        NotFound("absent", field="collection", code=100),
        Corrupt("torn", channel="c-0"),
        Unavailable(50_000 * "long"),
    ],
    ids=lambda error: f"{type(error).__name__}-{len(error.message)}",
)
async def test_an_error_of_the_handler_is_raised_at_the_caller(
    world: World, error: HeadraceError
) -> None:
    async def refuse(request: StatusRequest) -> None:
        raise error

    server = world.server()
    await server.start({StatusRequest: refuse})
    with pytest.raises(HeadraceError) as caught:
        await world.peers.call(server.address, StatusRequest(), timeout_s=5)
    assert type(caught.value) is type(error)
    expected = vars(error) | {"message": error.message[:2000]}
    assert {k: v for k, v in vars(caught.value).items() if k in expected} == expected
    assert world.failures == []


async def test_a_forwarded_refusal_does_not_say_that_the_request_was_not_sent(
    world: World,
) -> None:
    async def forward(request: StatusRequest) -> None:
        raise NotSent("the third refused")

    server = world.server()
    await server.start({StatusRequest: forward})
    with pytest.raises(Unavailable) as caught:
        await world.peers.call(server.address, StatusRequest(), timeout_s=5)
    assert type(caught.value) is Unavailable


async def test_a_handler_that_breaks_is_told_and_the_server_goes_on(world: World) -> None:
    broken = AssertionError("impossible")

    async def break_down(request: StatusRequest) -> None:
        raise broken

    server = world.server()
    await server.start({StatusRequest: break_down, AllocIdsRequest: answer_ids})
    with pytest.raises(Unavailable, match="impossible"):
        await world.peers.call(server.address, StatusRequest(), timeout_s=5)
    assert world.failures == [broken]
    assert await world.peers.call(server.address, AllocIdsRequest(1), timeout_s=5)


async def test_a_request_that_is_not_served_is_unavailable(world: World) -> None:
    server = world.server()
    await server.start({AllocIdsRequest: answer_ids})
    with pytest.raises(Unavailable) as caught:
        await world.peers.call(server.address, StatusRequest(), timeout_s=5)
    assert type(caught.value) is Unavailable


async def test_a_refused_connection_is_noticed_at_once(world: World) -> None:
    server = world.server()
    await server.start({AllocIdsRequest: answer_ids})
    await world.peers.call(server.address, AllocIdsRequest(1), timeout_s=5)
    await server.stop()
    for _ in range(3):
        async with asyncio.timeout(0.5):
            with pytest.raises(Unavailable) as caught:
                await world.peers.call(server.address, AllocIdsRequest(1), timeout_s=30)
    assert type(caught.value) is NotSent


async def test_a_server_that_came_back_is_found_again(world: World) -> None:
    server = world.server()
    await server.start({AllocIdsRequest: answer_ids})
    await world.peers.call(server.address, AllocIdsRequest(1), timeout_s=5)
    await server.stop()
    with pytest.raises(NotSent):
        await world.peers.call(server.address, AllocIdsRequest(1), timeout_s=5)
    again = world.server(server.address)
    await again.start({AllocIdsRequest: answer_ids})
    assert await world.peers.call(server.address, AllocIdsRequest(2), timeout_s=5)


async def test_no_answer_in_time_is_unavailable_and_the_handler_goes_on(world: World) -> None:
    started, let_go, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def be_slow(request: AllocIdsRequest) -> AllocIdsResponse:
        started.set()
        await let_go.wait()
        finished.set()
        return AllocIdsResponse(1, 1)

    server = world.server()
    await server.start({AllocIdsRequest: be_slow})
    with pytest.raises(Unavailable) as caught:
        await world.peers.call(server.address, AllocIdsRequest(1), timeout_s=0.3)
    assert type(caught.value) is Unavailable
    assert started.is_set()
    let_go.set()
    await asyncio.wait_for(finished.wait(), 5)


async def test_a_caller_that_gives_up_does_not_end_the_handler(world: World) -> None:
    started, let_go, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def be_slow(request: AllocIdsRequest) -> AllocIdsResponse:
        started.set()
        await let_go.wait()
        finished.set()
        return AllocIdsResponse(1, 1)

    server = world.server()
    await server.start({AllocIdsRequest: be_slow})
    call = asyncio.create_task(world.peers.call(server.address, AllocIdsRequest(1), timeout_s=30))
    await asyncio.wait_for(started.wait(), 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    let_go.set()
    await asyncio.wait_for(finished.wait(), 5)


async def test_a_server_that_stops_finishes_what_is_under_way(world: World) -> None:
    started, let_go = asyncio.Event(), asyncio.Event()

    async def be_slow(request: AllocIdsRequest) -> AllocIdsResponse:
        started.set()
        await let_go.wait()
        return AllocIdsResponse(7, 1)

    server = world.server()
    await server.start({AllocIdsRequest: be_slow})
    call = asyncio.create_task(world.peers.call(server.address, AllocIdsRequest(1), timeout_s=30))
    await asyncio.wait_for(started.wait(), 5)
    stopping = asyncio.create_task(server.stop())
    let_go.set()
    assert (await call).first == 7
    await stopping


async def test_a_server_that_stops_waits_for_no_handler_for_ever(world: World) -> None:
    started = asyncio.Event()

    async def hang(request: AllocIdsRequest) -> AllocIdsResponse:
        started.set()
        await asyncio.Event().wait()
        return AllocIdsResponse(7, 1)

    server = world.server()
    await server.start({AllocIdsRequest: hang})
    call = asyncio.create_task(world.peers.call(server.address, AllocIdsRequest(1), timeout_s=30))
    await asyncio.wait_for(started.wait(), 5)
    async with asyncio.timeout(3):
        await server.stop()
        with pytest.raises(Unavailable) as caught:
            await call
    assert type(caught.value) is Unavailable


async def test_calls_are_unavailable_once_the_peers_are_closed(world: World) -> None:
    started = asyncio.Event()

    async def hang(request: AllocIdsRequest) -> AllocIdsResponse:
        started.set()
        await asyncio.Event().wait()
        return AllocIdsResponse(7, 1)

    server = world.server()
    await server.start({AllocIdsRequest: hang})
    waiting = asyncio.create_task(
        world.peers.call(server.address, AllocIdsRequest(1), timeout_s=30)
    )
    await asyncio.wait_for(started.wait(), 5)
    await world.peers.close()
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await world.peers.call(server.address, AllocIdsRequest(1), timeout_s=5)
