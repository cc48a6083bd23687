"""A whole data node on in-memory edges, with a data service that does as it is told."""

import asyncio
from dataclasses import replace

import pytest
from support.world.datanode import (
    COLLECTION,
    PARTITION,
    PCHANNEL,
    START,
    VCHANNEL,
    World,
    play,
    watch_of,
)

from headrace.datanode.persist.put import PUT_BEGINS, PUT_STANDS
from headrace.datanode.report.send import REPORT_BETWEEN, REPORT_STANDS
from headrace.datanode.settings import DataNodeSettings
from headrace.meta.records import SessionState
from headrace.model.channel import Position
from headrace.model.errors import Conflict, Fenced, Unavailable
from headrace.objects.memory import StoreFault
from headrace.rpc.messages import (
    AwaitedTimestamp,
    AwaitTimestampsRequest,
    Done,
    NodeStateRequest,
    ReleaseDmChannelRequest,
    SegmentFlushedRequest,
    StatusRequest,
    StatusResponse,
    WatchDmChannelsRequest,
)

SOON = DataNodeSettings(sync_age_s=2.0)


async def reported(world: World, count: int) -> None:
    """Wait until the data service has as many reports."""
    await world.until(lambda: len(world.service.reports) >= count)


def test_a_node_is_initializing_until_both_services_are_found() -> None:
    async def whole() -> None:
        world = World()

        async def inside() -> None:
            node = await world.start()
            await world.until(lambda: world.session() is not None)
            await world.clock.sleep(10)
            session = world.session()
            assert session is not None
            assert session.state is SessionState.INITIALIZING
            assert not node.healthy
            await world.lead()
            await world.until(lambda: node.healthy)
            await world.end()

        await world.clock.run(inside())

    asyncio.run(whole())


def test_rows_and_deletes_become_files_bit_for_bit() -> None:
    async def scene(world: World) -> None:
        world.writer.term()
        world.writer.insert(1, [1, 2, 3], opens=True, deletes=[9])
        world.writer.insert(1, [4, 5])
        world.writer.insert(2, [6], opens=True, deletes=[1, 2])
        await world.watch(watch_of())
        world.writer.seal(1)
        await reported(world, 2)
        assert world.stored_rows() == [world.writer.rows[i] for i in sorted(world.writer.rows)]
        assert world.stored_deletes() == [(9, 2001), (1, 4001), (2, 4001)]
        flush, sync = world.service.reports
        assert [(s.segment_id, s.flushed) for s in flush.segments] == [(1, True)]
        assert [(s.segment_id, s.flushed) for s in sync.segments] == [(2, False)]
        file = flush.segments[0].files[0]
        assert file.key == f"insert/{COLLECTION}/{PARTITION}/1/1-1.parquet"
        assert (file.rows, file.min_key, file.max_key) == (5, "1", "5")
        assert world.bucket.get(file.stats_key)
        assert flush.channel_checkpoint == Position(PCHANNEL, 4, 4000)
        assert sync.channel_checkpoint == Position(PCHANNEL, 5, 5001)

    play(scene, SOON)


def test_no_stream_is_read_before_the_first_watch() -> None:
    async def scene(world: World) -> None:
        world.writer.term()
        node = await world.start(node_name="data-node-2")
        await world.until(lambda: node.healthy)
        await world.clock.sleep(5)
        assert not node.actor.machine.budget.credit_bytes

    play(scene)


def test_a_request_for_another_process_is_fenced() -> None:
    async def scene(world: World) -> None:
        for request in (
            NodeStateRequest(99),
            WatchDmChannelsRequest(99, (watch_of(),)),
            AwaitTimestampsRequest(99, ()),
        ):
            with pytest.raises(Fenced):
                await world.call(request)
        assert await world.states() == {}

    play(scene)


def test_an_announced_flush_is_accepted() -> None:
    async def scene(world: World) -> None:
        assert await world.call(SegmentFlushedRequest(vchannel=VCHANNEL, segment_ids=(1,))) == (
            Done()
        )

    play(scene)


def test_a_replaced_epoch_is_refused_and_the_rest_accepted() -> None:
    async def scene(world: World) -> None:
        other = f"{PCHANNEL}_8v0"
        await world.watch(watch_of(epoch=3))
        with pytest.raises(Conflict, match="epoch 2"):
            await world.watch(watch_of(epoch=2), watch_of(other, collection_id=8))
        assert {v: s.epoch for v, s in (await world.states()).items()} == {VCHANNEL: 3, other: 1}

    play(scene)


def test_a_put_whose_answer_was_lost_is_stored_once() -> None:
    lost: list[str] = []

    def faults(operation: str, key: str) -> StoreFault | None:
        if operation == "put" and len(lost) < 3:
            lost.append(key)
            return StoreFault(lost=True)
        return None

    async def scene(world: World) -> None:
        world.writer.term()
        world.writer.insert(1, [1, 2, 3], opens=True)
        world.writer.seal(1)
        await world.watch(watch_of())
        await reported(world, 1)
        assert len(lost) == 3
        assert world.stored_rows() == [world.writer.rows[i] for i in (1, 2, 3)]

    play(scene, faults=faults)


def test_other_bytes_under_our_key_end_the_flowgraph() -> None:
    async def scene(world: World) -> None:
        world.bucket.put(f"insert/{COLLECTION}/{PARTITION}/1/1-1.parquet", b"another process's")
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        world.writer.seal(1)
        await world.watch(watch_of())
        await world.until(lambda: bool(world.service.new_epochs))
        assert "holds other bytes" in world.service.new_epochs[0].reason
        assert (await world.states())[VCHANNEL].state == "failed"
        assert not world.service.reports

    play(scene)


def test_while_the_store_is_away_the_checkpoint_says_why() -> None:
    away = [True]

    def faults(operation: str, key: str) -> StoreFault | None:
        return StoreFault(unsent=True) if operation == "put" and away[0] else None

    async def scene(world: World) -> None:
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        world.writer.seal(1)
        await world.watch(watch_of())
        await world.clock.sleep(60)
        state = (await world.states())[VCHANNEL]
        assert state.checkpoint == START
        assert state.blocker.startswith("segment 1: sync since 60.0 s")
        assert "put failed" in state.blocker
        away[0] = False
        await reported(world, 1)

    play(scene, faults=faults)


def test_reports_wait_for_a_data_service_and_keep_their_order() -> None:
    async def scene(world: World) -> None:
        world.service.refusals += [Unavailable("busy")] * 4
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        world.writer.seal(1)
        world.writer.insert(2, [2], opens=True)
        world.writer.seal(2)
        await world.watch(watch_of())
        await reported(world, 2)
        flushed = [s.segment_id for r in world.service.reports for s in r.segments]
        assert flushed == [1, 2]

    play(scene)


def test_a_conflict_asks_for_a_new_epoch_and_the_next_begins() -> None:
    async def scene(world: World) -> None:
        world.service.refusals.append(Conflict("something else stands"))
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        world.writer.seal(1)
        await world.watch(watch_of())
        await world.until(lambda: bool(world.service.new_epochs))
        await world.watch(watch_of(epoch=2))
        await reported(world, 1)
        assert world.service.reports[0].epoch == 2
        assert world.service.reports[0].segments[0].files[0].key.endswith("/2-1.parquet")

    play(scene)


def test_a_message_that_is_no_group_stops_its_channel_only() -> None:
    async def scene(world: World) -> None:
        world.log.ensure("p-1")
        other = "p-1_8v0"
        world.log.append("p-1", b"not what we wrote", 0)
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        world.writer.seal(1)
        await world.watch(watch_of(), watch_of(other, seek=Position("p-1", 0, 0), collection_id=8))
        await reported(world, 1)
        states = await world.states()
        assert states[other].state == "failed"
        assert "message 1 of p-1" in states[other].reason
        assert states[VCHANNEL].state == "running"

    play(scene)


def test_a_seek_below_the_first_message_fails_only_who_needs_it() -> None:
    async def scene(world: World) -> None:
        world.writer.term()
        for _ in range(4):
            world.writer.tick()
        world.log.truncate(PCHANNEL, 4)
        other = f"{PCHANNEL}_8v0"
        fine = watch_of(other, seek=Position(PCHANNEL, 4, 4000), collection_id=8)
        await world.watch(watch_of(), fine)
        await world.until(lambda: bool(world.service.new_epochs))
        assert "truncated" in world.service.new_epochs[0].reason
        states = await world.states()
        assert (states[VCHANNEL].state, states[other].state) == ("failed", "running")

    play(scene)


def test_an_idle_vchannel_reports_at_once_when_a_caller_waits() -> None:
    async def scene(world: World) -> None:
        world.writer.term()
        await world.watch(watch_of())
        await world.until(lambda: bool(world.service.moves))
        await world.clock.sleep(5)
        assert len(world.service.moves) == 1
        world.writer.tick()
        session = world.session()
        assert session is not None
        item = AwaitedTimestamp(VCHANNEL, 2001)
        await world.call(AwaitTimestampsRequest(session.server_id, (item,)))
        await world.clock.sleep(0.01)
        assert world.service.checkpoint(VCHANNEL) == Position(PCHANNEL, 2, 2001)

    play(scene)


def test_a_drop_is_reported_and_forgotten() -> None:
    async def scene(world: World) -> None:
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        world.writer.drop()
        await world.watch(watch_of())
        await reported(world, 1)
        assert world.service.reports[0].dropped
        assert world.service.reports[0].channel_checkpoint == Position(PCHANNEL, 3, 3001)
        await world.clock.sleep(0.01)
        assert await world.states() == {}

    play(scene)


def test_a_release_drains_first() -> None:
    async def scene(world: World) -> None:
        world.writer.term()
        world.writer.insert(1, [1, 2], opens=True)
        await world.watch(watch_of())
        session = world.session()
        assert session is not None
        release = ReleaseDmChannelRequest(
            server_id=session.server_id, vchannel=VCHANNEL, epoch=1, drain=True
        )
        await world.call(release)
        await reported(world, 1)
        assert len(world.stored_rows()) == 2
        assert (await world.states())[VCHANNEL].state == "released"

    play(scene)


def test_a_lost_session_holds_reports_until_it_is_back() -> None:
    async def scene(world: World) -> None:
        await world.watch(watch_of())
        world.line.cut = True
        await world.clock.sleep(10)
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        world.writer.seal(1)
        await world.clock.sleep(10)
        assert world.bucket.list("insert/")
        assert not world.service.reports
        world.line.cut = False
        await reported(world, 1)

    play(scene, replace(SOON, lease_ttl_s=3))


def test_a_process_that_was_replaced_under_its_name_dies() -> None:
    async def scene(world: World) -> None:
        younger = await world.start()
        await world.until(lambda: younger.healthy)
        with pytest.raises(Fenced):
            await world.tasks[0]
        del world.tasks[0]

    play(scene)


def test_stop_stores_what_is_buffered_and_gives_the_session_back() -> None:
    async def whole() -> None:
        world = World()

        async def inside() -> None:
            await world.lead()
            node = await world.start()
            await world.until(lambda: node.healthy)
            world.writer.term()
            world.writer.insert(1, [1, 2, 3], opens=True)
            await world.watch(watch_of())
            node.stop()
            await world.tasks[0]
            assert len(world.stored_rows()) == 3
            assert world.session() is None

        await world.clock.run(inside())

    asyncio.run(whole())


def test_stop_ends_in_time_when_nothing_can_be_stored() -> None:
    def faults(operation: str, key: str) -> StoreFault | None:
        return StoreFault(unsent=True) if operation == "put" else None

    async def scene(world: World) -> None:
        node = await world.start(replace(SOON, stop_s=5.0), node_name="data-node-2")
        await world.until(lambda: node.healthy)
        began = world.clock.monotonic()
        node.stop()
        await world.tasks[1]
        assert world.clock.monotonic() - began < 10

    play(scene, faults=faults)


def test_status_tells_channels_checkpoints_and_stories() -> None:
    async def scene(world: World) -> None:
        world.writer.term()
        world.writer.insert(1, [1], opens=True)
        await world.watch(watch_of())
        await world.clock.sleep(0.01)
        told: dict[str, StatusResponse] = {}
        for topic in ("", "channels", "checkpoints", f"story:{VCHANNEL}", "nodes"):
            told[topic] = await world.call(StatusRequest(topic))
        assert told[""].state == "healthy"
        assert told[""].details["flowgraphs"] == 1
        assert VCHANNEL in str(told["channels"].details)
        assert "buffered since" in str(told["checkpoints"].details)
        assert "WatchArrived" in str(told[f"story:{VCHANNEL}"].details)
        assert told["nodes"].details == {}

    play(scene)


class Reached:
    """Implements `CrashPoints`: keeps the names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def reach(self, name: str) -> None:
        """See `CrashPoints`."""
        self.names.append(name)


def test_crash_points_are_reached_in_the_order_of_the_write() -> None:
    async def whole() -> None:
        world, crash = World(), Reached()

        async def inside() -> None:
            await world.lead()
            node = await world.start(
                DataNodeSettings(report_segments_most=1, puts_at_once=1), crash=crash
            )
            await world.until(lambda: node.healthy)
            world.writer.term()
            world.writer.insert(1, [1], opens=True)
            world.writer.insert(2, [2], opens=True)
            world.writer.term()
            await world.watch(watch_of())
            await reported(world, 2)
            await world.clock.sleep(0.01)
            assert crash.names == [
                *[PUT_BEGINS, PUT_STANDS] * 4,
                REPORT_STANDS,
                REPORT_BETWEEN,
                REPORT_STANDS,
            ]
            await world.end()

        await world.clock.run(inside())

    asyncio.run(whole())
