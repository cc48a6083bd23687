"""A flush is a timestamp; sealing is repeated until each pchannel has done it."""

import pytest
from support.world.proxy import ProxyWorld, pb, simple_schema

from headrace.model.channel import pchannel_of
from headrace.model.errors import Fenced, Unavailable
from headrace.proxy.errors import Aborted, Transport
from headrace.rpc import messages as m


async def test_a_flush_seals_each_pchannel_once_above_its_timestamp() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=6)
        before = world.master_service.timestamp()
        answer = await world.call("Flush", pb.FlushRequest(collection_names=["c"]))
        assert answer.status.code == 0
        flushed_at = answer.coll_flush_ts["c"]
        assert flushed_at > before
        assert [s.above for s in world.sequencer.seals] == [flushed_at] * 4
        asked = [s.pchannel for s in world.sequencer.seals]
        assert asked == list(dict.fromkeys(pchannel_of(v) for v in record.vchannels))
        assert list(answer.coll_segIDs["c"].data) == [101, 102, 103, 104]
        assert "c" in answer.flush_coll_segIDs


async def test_several_collections_are_flushed_at_one_timestamp() -> None:
    async with ProxyWorld() as world:
        for name in ("a", "b"):
            await world.create(name, simple_schema())
        answer = await world.call("Flush", pb.FlushRequest(collection_names=["a", "b"]))
        assert answer.coll_flush_ts["a"] == answer.coll_flush_ts["b"]
        answer = await world.call("Flush", pb.FlushRequest(collection_names=["a", "x"]))
        assert answer.status.code == 100
        assert (await world.call("Flush", pb.FlushRequest())).status.code == 1101


async def test_sealing_is_repeated_through_a_change_of_sequencers() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        seal = world.sequencer.seal
        errors = [Fenced("not me"), Unavailable("lost"), Unavailable("lost")]

        async def troubled(request: m.SealRequest) -> m.SealResponse:
            if errors:
                raise errors.pop(0)
            return await seal(request)

        world.sequencer.seal = troubled  # type: ignore[method-assign]
        request = pb.FlushRequest(collection_names=["c"])
        answer = await world.clock.run(world.call("Flush", request))
        assert answer.status.code == 0
        assert errors == []


async def test_a_flush_that_can_not_be_begun_ends_at_the_deadline() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())

        async def never(request: m.SealRequest) -> m.SealResponse:
            raise Unavailable("busy")

        world.sequencer.seal = never  # type: ignore[method-assign]
        request = pb.FlushRequest(collection_names=["c"])
        with pytest.raises(Aborted) as caught:
            await world.clock.run(world.call("Flush", request, timeout_s=7.0))
        assert caught.value.transport is Transport.DEADLINE_EXCEEDED


async def test_the_state_of_a_flush_is_what_the_data_service_says() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        request = pb.GetFlushStateRequest(collection_name="c", flush_ts=77, segmentIDs=[1, 2])
        assert (await world.call("GetFlushState", request)).flushed
        assert world.orders[-1] == m.FlushStateRequest(collection_id=record.id, timestamp=77)
        world.data_service.flushed = False
        assert not (await world.call("GetFlushState", request)).flushed
        request = pb.GetFlushStateRequest(collection_name="c", segmentIDs=[1])
        assert (await world.call("GetFlushState", request)).status.code == 1101
        request = pb.GetFlushStateRequest(collection_name="x", flush_ts=77)
        assert (await world.call("GetFlushState", request)).status.code == 100


async def test_all_collections_are_flushed_together() -> None:
    async with ProxyWorld() as world:
        records = [await world.create(name, simple_schema()) for name in ("a", "b")]
        answer = await world.call("FlushAll", pb.FlushAllRequest())
        assert answer.flush_all_ts > 0
        assert len(world.sequencer.seals) == 2
        await world.create("younger", simple_schema())
        asked = m.FlushStateRequest(
            collection_id=0,
            timestamp=answer.flush_all_ts,
            collection_ids=tuple(record.id for record in records),
        )
        request = pb.GetFlushAllStateRequest(flush_all_ts=answer.flush_all_ts)
        assert (await world.call("GetFlushAllState", request)).flushed
        assert world.orders[-1] == asked
        state = pb.GetFlushStateRequest(flush_ts=answer.flush_all_ts)
        assert (await world.call("GetFlushState", state)).flushed
        assert world.orders[-1] == asked
        answer = await world.call("GetFlushAllState", pb.GetFlushAllStateRequest())
        assert answer.status.code == 1101


async def test_what_a_stored_manifest_covers_needs_no_question() -> None:
    async with ProxyWorld() as world:
        one, other = [await world.create(name, simple_schema()) for name in ("a", "b")]
        at = (await world.call("FlushAll", pb.FlushAllRequest())).flush_all_ts
        told = world.assembly.flush.manifest_stored
        await told(m.ManifestStoredRequest(collection_id=one.id, timestamp=at + 5))
        await told(m.ManifestStoredRequest(collection_id=one.id, timestamp=at))  # it came late
        world.data_service.flushed = False
        before = len(world.orders)

        async def state(name: str, flush_ts: int) -> bool:
            request = pb.GetFlushStateRequest(collection_name=name, flush_ts=flush_ts)
            return bool((await world.call("GetFlushState", request)).flushed)

        assert await state("a", at + 5)
        assert len(world.orders) == before
        assert not await state("a", at + 6)
        assert not await state("b", at)
        request = pb.GetFlushAllStateRequest(flush_all_ts=at)
        assert not (await world.call("GetFlushAllState", request)).flushed
        wanted = m.FlushStateRequest(collection_id=0, timestamp=at, collection_ids=(other.id,))
        assert world.orders[-1] == wanted
        await told(m.ManifestStoredRequest(collection_id=other.id, timestamp=at))
        assert (await world.call("GetFlushAllState", request)).flushed
        assert len(world.orders) == before + 3


async def test_without_any_collection_all_is_flushed() -> None:
    async with ProxyWorld() as world:
        await world.create("younger", simple_schema())
        request = pb.GetFlushAllStateRequest(flush_all_ts=1)
        assert (await world.call("GetFlushAllState", request)).flushed
        assert not [o for o in world.orders if isinstance(o, m.FlushStateRequest)]
