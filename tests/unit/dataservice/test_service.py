"""The whole data service on the in-memory edges, with stand-ins for everybody else."""

from dataclasses import replace
from typing import Any

import pytest
from support.world.dataservice import World, play, watched
from support.world.facts import COLLECTION, position, report, segment_report, stamp

from headrace.binlog import manifest, paths
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.api import Put
from headrace.meta.records import LeaderRecord, Role, SessionState
from headrace.model import codec
from headrace.model.errors import Fenced, Unavailable
from headrace.model.segment import SegmentState
from headrace.rpc.memory import Call, Reliable
from headrace.rpc.messages import (
    FlushStateRequest,
    NewEpochRequest,
    SegmentsRequest,
    StatusRequest,
    StoreNamesRequest,
    SuspectRequest,
    WatchDmChannelsRequest,
)


def test_a_new_collection_is_watched_and_its_report_is_committed_once() -> None:
    async def scene(world: World) -> None:
        node = await world.add_node(1)
        await world.proxy.start()
        a, b = world.create(2)
        await watched(world, [a, b])
        assert [w.seek for w in node.watches] == [position(a, 1), position(b, 1)]
        files = segment_report(a, 11, 1, 1, (None, 5), flushed=True)
        world.put_files(files.files)
        request = report(a, 1, (1, 5), files)
        assert (await world.ask(request)).outcome == "applied"
        assert (await world.ask(request)).outcome == "done"
        segments = (await world.ask(SegmentsRequest(collection_id=COLLECTION))).segments
        assert [(s.segment_id, s.rows, s.state) for s in segments] == [(11, 10, "flushed")]
        assert world.checkpoint(a).position == position(a, 5)
        await world.until(lambda: bool(node.flushed and world.proxy.announced))
        assert [r.segment_ids for r in node.flushed] == [(11,)] * len(node.flushed)

    play(scene)


def test_proxies_are_told_of_a_manifest_once_it_is_stored_and_rises() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        await world.proxy.start()
        (a,) = world.create(1)
        await watched(world, [a])
        request = FlushStateRequest(collection_id=COLLECTION, timestamp=stamp(5))
        assert not (await world.ask(request)).flushed
        files = segment_report(a, 11, 1, 1, (None, 5), flushed=True)
        world.put_files(files.files)
        await world.ask(report(a, 1, (1, 5), files))
        await world.until(lambda: any(r.timestamp >= stamp(5) for r in world.proxy.announced))
        told = [r.timestamp for r in world.proxy.announced]
        assert told == sorted(set(told))
        assert world.listed(COLLECTION).timestamp == told[-1]

    play(scene)


def test_a_flush_is_done_when_all_checkpoints_have_passed_and_the_list_is_stored() -> None:
    async def scene(world: World) -> None:
        node = await world.add_node(1)
        a, b = world.create(2)
        await watched(world, [a, b])
        ask = FlushStateRequest(collection_id=COLLECTION, timestamp=stamp(5))
        assert not (await world.ask(ask)).flushed
        await world.until(lambda: node.awaited == {a: stamp(5), b: stamp(5)})
        sync = segment_report(a, 11, 1, 1, (None, 5), flushed=True)
        world.put_files(sync.files)
        await world.ask(report(a, 1, (1, 5), sync))
        assert not (await world.ask(ask)).flushed
        await world.ask(report(b, 1, (1, 6)))
        answer = await world.ask(ask)
        while not answer.flushed:
            await world.clock.sleep(0.05)
            answer = await world.ask(ask)
        listed = world.listed()
        assert listed is not None and listed.timestamp == stamp(5)
        assert [s.id for s in listed.segments] == [11]
        assert listed.segments[0].state is SegmentState.FLUSHED

    play(scene)


def test_a_killed_node_is_replaced_within_two_seconds_of_a_refused_connection() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1)
        await world.add_node(2)
        vchannels = world.create(2)
        await watched(world, vchannels)
        began = world.clock.monotonic()
        one.kill()
        await world.until(lambda: set(world.holders(vchannels).values()) == {"node-2"})
        await watched(world, vchannels)
        assert world.clock.monotonic() - began < 2.0

    play(scene)


# ---- who watches what ----------------------------------------------------------------------------


def test_a_new_leader_leaves_running_flowgraphs_alone() -> None:
    async def scene(world: World) -> None:
        node = await world.add_node(1)
        vchannels = world.create(3)
        await watched(world, vchannels)
        second = await world.start("standby")
        await world.kill("data-service")
        await world.until(lambda: second.leads)
        await world.clock.sleep(5.0)
        assert [world.epoch(v).epoch for v in vchannels] == [1, 1, 1]
        assert len(node.watches) == 3 and not node.releases
        a = vchannels[0]
        files = segment_report(a, 11, 1, 1, (None, 5))
        assert (await world.ask(report(a, 1, (1, 5), files))).outcome == "applied"

    play(scene)


def test_a_leader_that_lost_its_key_answers_reports_with_again_later() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        service = world.services["data-service"]
        address = service.address
        other = LeaderRecord(server_id=999, node_name="other", address="other:1")
        key = world.keys.leader(Role.DATA_SERVICE)
        world.store.txn([], [Put(key, codec.encode(other))])
        request = report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5)))
        with pytest.raises(Unavailable):
            await world.peers.call(address, request, timeout_s=1.0)
        await world.until(lambda: not service.leads)
        with pytest.raises(Fenced):
            await world.peers.call(address, SegmentsRequest(collection_id=0), timeout_s=1.0)
        assert world.checkpoint(a).position == position(a, 1)

    play(scene)


def test_losing_the_session_ends_nothing_if_the_node_still_answers() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        await world.add_node(2)
        vchannels = world.create(4)
        await watched(world, vchannels)
        before = {v: world.epoch(v) for v in vchannels}
        for server_id in (1, 2):
            world.end_session(server_id)
        await world.clock.sleep(3.0)
        for server_id in (1, 2):
            world.nodes[server_id].register()
        await world.clock.sleep(5.0)
        assert {v: world.epoch(v) for v in vchannels} == before

    play(scene)


def test_a_node_that_does_not_register_anew_loses_what_it_watched() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1)
        vchannels = world.create(2)
        await watched(world, vchannels)
        await world.add_node(2)
        world.end_session(1)
        await world.until(lambda: set(world.holders(vchannels).values()) == {"node-2"})
        await watched(world, vchannels)
        # It is still there and does not know: what it watches is taken from it.
        world.nodes[1].register()
        await world.until(lambda: {s.state for s in one.states.values()} == {"released"})
        assert all(not r.drain for r in one.releases)

    play(scene, DataServiceSettings(settle_s=0.1, balance_delay_s=1000.0))


def test_a_successor_under_the_same_node_name_takes_over_at_once() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1, "data-node-1")
        vchannels = world.create(2)
        await watched(world, vchannels)
        one.kill()
        began = world.clock.monotonic()
        await world.add_node(2, "data-node-1")
        await world.until(lambda: {world.epoch(v).server_id for v in vchannels} == {2})
        await watched(world, vchannels)
        assert world.clock.monotonic() - began < 1.0

    play(scene)


def test_a_suspicion_makes_the_leader_try_its_own_connection_at_once() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1)
        vchannels = world.create(1)
        await watched(world, vchannels)
        await world.add_node(2)
        await world.clock.sleep(3.0)
        await world.ask(SuspectRequest(server_id=1, address=one.address))
        await world.clock.sleep(1.0)
        assert world.holders(vchannels) == {vchannels[0]: "node-1"}  # it answers: no harm
        one.kill()
        began = world.clock.monotonic()
        await world.ask(SuspectRequest(server_id=1, address=one.address))
        await watched(world, vchannels)
        assert world.clock.monotonic() - began < 0.3

    play(scene, DataServiceSettings(settle_s=0.1, poll_s=60.0))


def test_a_node_that_joins_gets_its_share_after_a_drain() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1)
        vchannels = world.create(4)
        await watched(world, vchannels)
        await world.add_node(2)
        await world.until(lambda: list(world.holders(vchannels).values()).count("node-2") == 2)
        await watched(world, vchannels)
        assert sorted(r.drain for r in one.releases) == [True, True]
        epochs = sorted(world.epoch(v).epoch for v in vchannels)
        assert epochs == [1, 1, 2, 2]
        await world.clock.sleep(60.0)
        assert sorted(world.epoch(v).epoch for v in vchannels) == epochs  # no flapping

    play(scene)


def test_a_drain_that_never_ends_is_cut_short() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1)
        one.drains = False
        vchannels = world.create(2)
        await watched(world, vchannels)
        await world.add_node(2)
        began = world.clock.monotonic()
        await world.until(lambda: "node-2" in world.holders(vchannels).values())
        assert world.clock.monotonic() - began >= 20.0
        await watched(world, vchannels)

    play(scene)


def test_a_node_that_is_about_to_stop_is_drained() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        vchannels = world.create(3)
        await watched(world, vchannels)
        await world.add_node(2)
        world.nodes[1].register(SessionState.STOPPING)
        await world.until(lambda: set(world.holders(vchannels).values()) == {"node-2"})
        assert all(r.drain for r in world.nodes[1].releases)
        await watched(world, vchannels)

    play(scene)


def test_a_failed_flowgraph_gets_a_new_epoch_and_what_fails_again_waits_longer() -> None:
    async def scene(world: World) -> None:
        node = await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        node.fail(a, "an assertion")
        await world.until(lambda: world.epoch(a).epoch == 2)
        await watched(world, [a])
        times = []
        for epoch in (2, 3, 4):
            ask = NewEpochRequest(server_id=1, vchannel=a, epoch=epoch, reason="Conflict")
            node.fail(a, "Conflict")
            began = world.clock.monotonic()
            await world.ask(ask)
            await world.ask(ask)  # a copy changes nothing
            await world.until(lambda epoch=epoch: world.epoch(a).epoch == epoch + 1)
            times.append(round(world.clock.monotonic() - began))
            await watched(world, [a])
        assert times == [1, 2, 4]

    play(scene)


def test_a_node_that_refuses_a_watch_is_offered_the_next_epoch() -> None:
    async def scene(world: World) -> None:
        node = await world.add_node(1)
        node.refuses = True
        vchannels = world.create(2)
        await world.until(lambda: all(world.epoch(v).epoch >= 2 for v in vchannels))
        node.refuses = False
        await watched(world, vchannels)

    play(scene)


def test_lost_answers_to_watches_do_not_cost_an_epoch() -> None:
    class Lossy(Reliable):
        def __init__(self) -> None:
            self.lost = 3

        def response_delay(self, call: Call) -> float | None:
            if isinstance(call.request, WatchDmChannelsRequest) and self.lost:
                self.lost -= 1
                return None
            return 0.0

    async def scene(world: World) -> None:
        world.network.faults = Lossy()
        await world.add_node(1)
        vchannels = world.create(2)
        await watched(world, vchannels)
        await world.clock.sleep(30.0)
        assert [world.epoch(v).epoch for v in vchannels] == [1, 1]

    play(scene)


def test_a_replaced_writer_is_fenced_when_it_wakes() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        await world.add_node(2)
        one.kill()
        await world.until(lambda: world.epoch(a).server_id == 2)
        with pytest.raises(Fenced):
            await world.ask(report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5))))
        sync = segment_report(a, 11, 2, 1, (None, 5))
        assert (await world.ask(report(a, 2, (1, 5), sync, server_id=2))).outcome == "applied"

    play(scene)


# ---- what it says of itself ----------------------------------------------------------------------


def test_it_tells_who_watches_what_and_what_blocks() -> None:
    async def scene(world: World) -> None:
        node = await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        node.states[a] = replace(node.states[a], blocker="segment 11 waits for its put")
        await world.clock.sleep(2.0)
        await world.ask(report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5))))

        async def told(topic: str) -> Any:
            return (await world.ask(StatusRequest(topic))).details

        (channel,) = (await told("channels"))["channels"]
        assert (channel["vchannel"], channel["node"], channel["state"]) == (a, "node-1", "running")
        (checkpoint,) = (await told("checkpoints"))["checkpoints"]
        assert checkpoint["blocker"] == "segment 11 waits for its put"
        assert checkpoint["message_id"] == 5
        (known,) = (await told("nodes"))["nodes"]
        assert (known["node"], known["vchannels"], known["gone"]) == ("node-1", 1, False)
        (segment,) = (await told("segments"))["segments"]
        assert (segment["segment_id"], segment["rows"]) == (11, 10)
        assert (await told(""))["watched"] == 1
        assert "EpochWritten" in (await told(f"story:{a}"))["story"]

    play(scene)


def test_names_are_stored_at_the_revision_that_was_asked_for() -> None:
    async def scene(world: World) -> None:
        world.create(1)
        await world.ask(StoreNamesRequest(world.store.revision))
        lists = world.bucket.list(paths.NAMES_PREFIX)
        names = codec.decode(world.bucket.get(lists[-1].key), manifest.NameList)
        assert names.names == {"c7": 7}

    play(scene)
