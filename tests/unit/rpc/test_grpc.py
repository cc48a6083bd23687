"""What only real processes show: a peer that is killed or frozen."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from headrace.model.errors import Unavailable
from headrace.rpc.api import NotSent
from headrace.rpc.grpc import GrpcPeers, GrpcServer
from headrace.rpc.messages import LastPositionRequest, StatusRequest, StatusResponse
from headrace.runtime.host import RealClock
from headrace.runtime.telemetry import silent

PEER = """
import asyncio
from headrace.rpc.grpc import GrpcServer
from headrace.rpc.messages import LastPositionRequest, StatusRequest, StatusResponse
from headrace.runtime.telemetry import silent

async def status(request):
    return StatusResponse(role="peer", node_name="p", server_id=1, state="healthy")

async def hang(request):
    await asyncio.Event().wait()

async def main():
    server = GrpcServer(silent())
    await server.start({StatusRequest: status, LastPositionRequest: hang})
    print(server.address, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass
class Peer:
    """A process that serves."""

    process: asyncio.subprocess.Process
    address: str


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PEER, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    yield Peer(process, address)
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.fixture
async def peers() -> AsyncIterator[GrpcPeers]:
    """Calls to it."""
    made = GrpcPeers(RealClock())
    yield made
    await made.close()


async def test_a_kill_resets_what_is_under_way_and_refuses_what_follows(
    peer: Peer, peers: GrpcPeers
) -> None:
    assert await peers.call(peer.address, StatusRequest(), timeout_s=5)
    hanging = asyncio.create_task(
        peers.call(peer.address, LastPositionRequest("c-0"), timeout_s=60)
    )
    assert await peers.call(peer.address, StatusRequest(), timeout_s=5)
    peer.process.kill()
    async with asyncio.timeout(0.5):
        with pytest.raises(Unavailable) as reset:
            await hanging
    assert type(reset.value) is Unavailable
    await peer.process.wait()
    async with asyncio.timeout(0.5):
        with pytest.raises(NotSent):
            await peers.call(peer.address, StatusRequest(), timeout_s=60)


async def test_a_frozen_peer_is_unavailable_and_answers_when_it_wakes(
    peer: Peer, peers: GrpcPeers
) -> None:
    assert await peers.call(peer.address, StatusRequest(), timeout_s=5)
    peer.process.send_signal(signal.SIGSTOP)
    with pytest.raises(Unavailable) as caught:
        await peers.call(peer.address, StatusRequest(), timeout_s=0.3)
    assert type(caught.value) is Unavailable
    peer.process.send_signal(signal.SIGCONT)
    answer = await peers.call(peer.address, StatusRequest(), timeout_s=5)
    assert isinstance(answer, StatusResponse)


async def test_an_address_that_is_none_is_unavailable(peers: GrpcPeers) -> None:
    with pytest.raises(Unavailable):
        await peers.call("nowhere.invalid:1", StatusRequest(), timeout_s=2)
    with pytest.raises(Unavailable):
        await peers.call("nowhere", StatusRequest(), timeout_s=2)


async def test_many_calls_to_a_dead_peer_are_all_refused_and_a_new_one_is_found(
    peers: GrpcPeers,
) -> None:
    server = GrpcServer(silent())
    await server.start({StatusRequest: status})
    address = server.address
    await peers.call(address, StatusRequest(), timeout_s=5)
    await server.stop()
    for _ in range(3):
        calls = (peers.call(address, StatusRequest(), timeout_s=30) for _ in range(50))
        async with asyncio.timeout(2):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {NotSent, Unavailable}
    assert {type(outcome) for outcome in outcomes} == {NotSent}
    again = GrpcServer(silent(), port=int(address.rpartition(":")[2]))
    await again.start({StatusRequest: status})
    for _ in range(50):
        assert await peers.call(address, StatusRequest(), timeout_s=5)
    await again.stop()


async def status(request: StatusRequest) -> StatusResponse:
    """A handler."""
    return StatusResponse(role="peer", node_name="p", server_id=1, state="healthy")
