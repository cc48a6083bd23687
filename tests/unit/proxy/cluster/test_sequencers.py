"""A pchannel's sequencer is called where it is, and reported when it can not be reached."""

import asyncio
from dataclasses import replace

import pytest
from support.world.clock import settle
from support.world.proxy import PCHANNELS, ProxyWorld

from headrace.meta.api import Delete, Put
from headrace.meta.records import SequencerRecord
from headrace.model.codec import encode
from headrace.model.errors import Unavailable
from headrace.rpc import messages as m
from headrace.rpc.api import NotSent

OTHER = SequencerRecord(server_id=8, node_name="proxy-2", address="proxy:2")
ASKED = m.SealRequest(pchannel=PCHANNELS[0], collection_id=1, above=5)


async def give(world: ProxyWorld, record: SequencerRecord | None) -> None:
    key = world.keys.sequencer(PCHANNELS[0])
    await world.meta.txn([], [Put(key, encode(record)) if record else Delete(key)])
    await settle()


async def suspicions(world: ProxyWorld) -> list[m.SuspectRequest]:
    await world.clock.advance(0.01)
    return [o for o in world.orders if isinstance(o, m.SuspectRequest)]


async def test_the_own_sequencer_is_called_directly() -> None:
    async with ProxyWorld() as world:
        await world.clock.run(world.assembly.sequencing.seal(ASKED, timeout_s=1))
        assert world.sequencer.seals == [ASKED]


async def test_another_proxy_s_sequencer_is_called_at_its_address() -> None:
    async with ProxyWorld() as world:
        await give(world, OTHER)
        heard = []

        async def seal(request: m.SealRequest) -> m.SealResponse:
            heard.append(request)
            return await world.sequencer.seal(request)

        await world.network.server(OTHER.address).start({m.SealRequest: seal})
        await world.clock.run(world.assembly.sequencing.seal(ASKED, timeout_s=1))
        assert heard == [ASKED]


async def test_without_a_record_nothing_is_sent() -> None:
    async with ProxyWorld() as world:
        await give(world, None)
        with pytest.raises(NotSent, match="no sequencer"):
            await world.clock.run(world.assembly.sequencing.seal(ASKED, timeout_s=1))


async def test_a_refused_connection_is_reported_once_a_second() -> None:
    async with ProxyWorld() as world:
        await give(world, OTHER)
        for _ in range(3):
            with pytest.raises(NotSent):
                await world.clock.run(world.assembly.sequencing.seal(ASKED, timeout_s=1))
        wanted = m.SuspectRequest(server_id=8, address=OTHER.address)
        assert await suspicions(world) == [wanted]
        await world.clock.advance(1.5)
        with pytest.raises(NotSent):
            await world.clock.run(world.assembly.sequencing.seal(ASKED, timeout_s=1))
        assert await suspicions(world) == [wanted] * 2


async def test_an_own_sequencer_that_is_silent_is_given_up_in_time() -> None:
    async with ProxyWorld() as world:

        async def silent(request: m.SealRequest) -> m.SealResponse:
            await world.clock.sleep(100)
            raise AssertionError

        world.sequencer.seal = silent  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="no answer within"):
            await world.clock.run(world.assembly.sequencing.seal(ASKED, timeout_s=1))
        assert world.clock.monotonic() == 1


async def test_a_call_to_a_sequencer_that_is_replaced_ends_with_its_outcome_unknown() -> None:
    """The replaced process may be frozen, and would be waited for to the last second."""
    async with ProxyWorld() as world:
        await give(world, OTHER)

        async def silent(request: m.SealRequest) -> m.SealResponse:
            await world.clock.sleep(100)
            raise AssertionError

        await world.network.server(OTHER.address).start({m.SealRequest: silent})
        call = asyncio.ensure_future(world.assembly.sequencing.seal(ASKED, timeout_s=10))
        await world.clock.advance(1)
        await give(world, replace(OTHER, address="proxy:2, again"))
        await world.clock.advance(1)
        assert not call.done(), "the same process, known by another address"
        await give(world, replace(OTHER, server_id=9))
        with pytest.raises(Unavailable, match="was replaced") as ended:
            await world.clock.run(call)
        assert not isinstance(ended.value, NotSent)
        assert world.clock.monotonic() == 2


async def test_a_wait_ends_when_a_record_moves() -> None:
    async with ProxyWorld() as world:
        seen = world.assembly.sequencing.count()
        await give(world, OTHER)
        await world.clock.run(world.assembly.sequencing.moved(seen, 50))
        assert world.clock.monotonic() == 0
        seen = world.assembly.sequencing.count()
        await world.clock.run(world.assembly.sequencing.moved(seen, 50))
        assert world.clock.monotonic() == 50
