"""A call to a service finds who leads it, and is repeated while that may help."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support.world.proxy import MASTER, ProxyWorld

from headrace.meta.api import Put
from headrace.meta.records import LeaderRecord, Role
from headrace.model.codec import encode
from headrace.model.errors import Conflict, Fenced, HeadraceError, Invalid, Unavailable
from headrace.proxy.call import ClientCall
from headrace.proxy.errors import Aborted, Transport
from headrace.rpc import messages as m

ASKED = m.AllocTimestampRequest()


async def ask(world: ProxyWorld, seconds: float = 10.0) -> Any:
    deadline = world.clock.monotonic() + seconds
    call = ClientCall(method="x", clock=world.clock, deadline=deadline)
    return await world.clock.run(
        world.assembly.leaders.call(Role.MASTER_SERVICE, ASKED, call), limit_s=100
    )


async def answering(world: ProxyWorld, address: str, answer: Callable[[], Any]) -> None:
    async def handler(request: m.AllocTimestampRequest) -> m.AllocTimestampResponse:
        return answer()  # type: ignore[no-any-return]

    await world.master.stop()
    world.master = world.network.server(address)
    await world.master.start({m.AllocTimestampRequest: handler})


@pytest.mark.parametrize("error", [Unavailable("lost"), Fenced("not me"), Conflict("changed")])
async def test_what_may_pass_is_repeated(error: HeadraceError) -> None:
    async with ProxyWorld() as world:
        errors = [error] * 3

        def answer() -> m.AllocTimestampResponse:
            if errors:
                raise errors.pop()
            return m.AllocTimestampResponse(7)

        await answering(world, MASTER, answer)
        assert (await ask(world)).timestamp == 7


async def test_what_the_leader_refuses_is_raised_at_once() -> None:
    async with ProxyWorld() as world:

        def answer() -> m.AllocTimestampResponse:
            raise Invalid("no such thing", field="f", code=1234)

        await answering(world, MASTER, answer)
        with pytest.raises(Invalid, match="no such thing") as caught:
            await ask(world)
        assert caught.value.code == 1234


async def test_a_new_leader_is_asked_as_soon_as_it_is_known() -> None:
    async with ProxyWorld() as world:
        await answering(world, "master:2", lambda: m.AllocTimestampResponse(9))
        record = LeaderRecord(server_id=2, node_name="m", address="master:2")

        async def elect() -> None:
            await world.clock.sleep(0.2)
            key = world.keys.leader(Role.MASTER_SERVICE)
            await world.meta.txn([], [Put(key, encode(record))])

        electing = asyncio.create_task(elect())
        assert (await ask(world)).timestamp == 9
        assert world.clock.monotonic() < 0.5
        await electing


async def test_a_leader_that_was_never_reached_ends_unavailable() -> None:
    async with ProxyWorld() as world:
        world.network.kill(MASTER)
        with pytest.raises(Aborted, match="master-service") as caught:
            await ask(world)
        assert caught.value.transport is Transport.UNAVAILABLE
        assert world.clock.monotonic() >= 10


async def test_a_leader_that_may_have_heard_ends_in_the_deadline() -> None:
    async with ProxyWorld() as world:

        def answer() -> m.AllocTimestampResponse:
            raise Unavailable("busy")

        await answering(world, MASTER, answer)
        with pytest.raises(Aborted, match="busy") as caught:
            await ask(world)
        assert caught.value.transport is Transport.DEADLINE_EXCEEDED
