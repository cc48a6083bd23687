"""The collector, drops and bundles at work in a whole data service."""

from collections.abc import Sequence

from support.world.dataservice import World, play, watched
from support.world.facts import (
    COLLECTION,
    SCHEMA,
    deletes_report,
    position,
    report,
    segment_report,
    stamp,
)

from headrace.binlog import paths
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.records import DdlRecord, PChannelRecord
from headrace.model import codec
from headrace.model.entry import DdlKind
from headrace.model.errors import HeadraceError
from headrace.model.segment import SegmentState
from headrace.rpc.messages import DeletesReport, SaveBinlogPathsRequest, SegmentReport

SOON = DataServiceSettings(
    settle_s=0.1,
    grace_s=30.0,
    collect_interval_s=5.0,
    bundle_interval_s=5.0,
    bundle_size=3,
    manifest_interval_s=2.0,
)


def stored(world: World) -> list[str]:
    """Data files that stand in the bucket."""
    return [o.key for p in paths.DATA_PREFIXES for o in world.bucket.list(p)]


def put(world: World, *parts: SegmentReport | DeletesReport) -> Sequence[SegmentReport]:
    for part in parts:
        world.put_files(part.files)
    return [p for p in parts if isinstance(p, SegmentReport)]


def dropping(vchannel: str, epoch: int, span: tuple[int, int]) -> SaveBinlogPathsRequest:
    return report(vchannel, epoch, span, dropped=True)


def test_what_a_killed_writer_left_goes_and_what_counts_stays() -> None:
    async def scene(world: World) -> None:
        one = await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        left = segment_report(a, 11, 1, 1, (None, 5))
        put(world, left)  # stored, never reported
        await world.add_node(2)
        one.kill()
        await world.until(lambda: world.epoch(a).server_id == 2)
        kept = segment_report(a, 11, 2, 1, (None, 5), flushed=True)
        put(world, kept)
        await world.ask(report(a, 2, (1, 5), kept, server_id=2))
        unreported = segment_report(a, 12, 2, 2, (None, 6))
        put(world, unreported)
        await world.clock.sleep(25.0)
        assert left.files[0].key in stored(world)  # within the grace
        await world.until(lambda: left.files[0].key not in stored(world))
        await world.clock.sleep(120.0)
        wanted = {k for p in (kept, unreported) for f in p.files for k in (f.key, f.stats_key)}
        assert set(stored(world)) == wanted

    play(scene, SOON)


def test_a_dropped_collection_leaves_nothing_behind_but_its_lists_first() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        a, b = world.create(2)
        other = world.create(1, collection_id=8)[0]
        await watched(world, [a, b, other])
        parts = [segment_report(a, 11, 1, 1, (None, 5), flushed=True)]
        parts.append(segment_report(a, 12, 1, 2, (None, 5)))
        deletes = deletes_report(a, 1, 3, (None, 5))
        put(world, *parts, deletes)
        await world.ask(report(a, 1, (1, 5), *parts, deletes=deletes))
        await world.until(lambda: bool(world.listed() and world.listed().segments))
        await world.ask(dropping(a, 1, (5, 9)))
        assert (await world.ask(dropping(a, 1, (5, 9)))).outcome == "done"
        await world.ask(dropping(b, 1, (1, 9)))
        assert world.epoch(a).ended and world.epoch(b).ended
        await world.until(lambda: not world.listed().segments)
        began = world.clock.monotonic()
        await world.until(lambda: not stored(world))
        assert world.clock.monotonic() - began >= 20.0
        await world.until(
            lambda: not world.store.read(world.keys.segments_prefix(a), True, 0).items
        )
        await world.until(lambda: not world.bucket.list(paths.manifests_prefix(COLLECTION)))
        await world.until(lambda: not world.store.read(world.keys.epoch(a), False, 0).items)
        channels = world.store.read(world.keys.channels_prefix, True, 0).items
        assert {i.key.split("/")[2] for i in channels} == {other}
        lists = world.store.read(world.keys.pchannels_prefix, True, 0).items
        held = [v for i in lists for v in codec.decode(i.value, PChannelRecord).vchannels]
        assert held == [other]

    play(scene, SOON)


def test_flushed_segments_are_bundled_and_stay_on_the_list() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        for n in range(4):
            part = segment_report(a, 11 + n, 1, n, (None, n + 2), flushed=True)
            put(world, part)
            await world.ask(report(a, 1, (n + 1, n + 2), part))
        await world.until(lambda: bool(world.listed() and world.listed().bundles))
        channel = await world.channel(a)
        assert sorted(channel.segments) == [14]
        (bundle,) = channel.bundles.values()
        assert [r.id for r in bundle.value.segments] == [11, 12, 13]
        listed = world.listed()
        assert listed is not None
        assert listed.bundles == (bundle.value.object_key,)
        assert [s.id for s in listed.segments] == [14]
        again = report(a, 1, (1, 2), segment_report(a, 11, 1, 0, (None, 2), flushed=True))
        late = await _outcome(world, again)
        assert late == "Conflict"  # the channel checkpoint has moved on
        await world.clock.sleep(100.0)
        assert len(stored(world)) == 8

    play(scene, SOON)


def test_bundles_of_a_dropped_collection_go_though_no_list_follows_its_last() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        parts = [segment_report(a, 11 + n, 1, n, (None, 2), flushed=True) for n in range(3)]
        put(world, *parts)
        await world.ask(report(a, 1, (1, 2), *parts))
        await world.until(lambda: bool(world.listed() and world.listed().bundles))
        await world.ask(dropping(a, 1, (2, 9)))
        await world.until(lambda: not world.listed().bundles)
        world.create(1, collection_id=8)  # the revision goes on
        await world.until(lambda: not stored(world))
        await world.until(lambda: not world.bucket.list("bundles/"))
        await world.until(lambda: not world.store.read(world.keys.epoch(a), False, 0).items)

    play(scene, SOON)


def test_a_replaced_bundle_goes_though_nothing_else_changes() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        parts = [segment_report(a, 11 + n, 1, n, (None, 2), flushed=True) for n in range(3)]
        put(world, *parts)
        await world.ask(report(a, 1, (1, 2), *parts))
        await world.until(lambda: bool(world.listed() and world.listed().bundles))
        left = paths.bundle_key(COLLECTION, a, "0-1-2")  # of a leader that was replaced
        world.bucket.put(left, b"")
        world.create(1, collection_id=8)
        await world.until(lambda: left not in [o.key for o in world.bucket.list("bundles/")])
        assert len(world.bucket.list("bundles/")) == 1

    play(scene, SOON)


def test_a_dropped_partition_is_taken_out_of_its_bundle() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        parts = [
            segment_report(a, 11 + n, 1, n, (None, 2), flushed=True, partition_id=70 + n % 2)
            for n in range(3)
        ]
        put(world, *parts)
        await world.ask(report(a, 1, (1, 2), *parts))
        await world.until(lambda: bool(world.listed() and world.listed().bundles))
        (before,) = (await world.channel(a)).bundles.values()
        world.record_ddl(
            DdlRecord(
                collection_id=COLLECTION,
                version=2,
                kind=DdlKind.DROP_PARTITION,
                schema=SCHEMA,
                name="c7",
                recorded=stamp(3),
                partition_id=71,
                noted=True,
                positions={a: position(a, 4)},
            )
        )
        await world.ask(report(a, 1, (2, 5), dropped_partitions=(71,)))
        channel = await world.channel(a)
        assert sorted(r.id for r in channel.live_segments()) == [11, 13]

        async def rest() -> list[str]:
            return [b.value.object_key for b in (await world.channel(a)).bundles.values()]

        while await rest() == [before.value.object_key]:
            await world.clock.sleep(1.0)
        channel = await world.channel(a)
        assert channel.segments[12].value.state is SegmentState.DROPPED
        (after,) = channel.bundles.values()
        assert [r.id for r in after.value.segments] == [11, 13]
        gone = parts[1].files[0].key
        await world.until(lambda: gone not in stored(world))
        old = before.value.object_key
        await world.until(lambda: old not in [o.key for o in world.bucket.list("bundles/")])
        assert after.value.object_key in [o.key for o in world.bucket.list("bundles/")]
        while 12 in (await world.channel(a)).segments:
            await world.clock.sleep(1.0)

    play(scene, SOON)


def test_old_lists_go_and_the_newest_stays() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        for n in range(30):
            part = segment_report(a, 11 + n, 1, n, (None, n + 2))
            put(world, part)
            await world.ask(report(a, 1, (n + 1, n + 2), part))
            await world.clock.sleep(3.0)
        lists = world.bucket.list(paths.manifests_prefix(COLLECTION))
        assert 9 <= len(lists) <= 16
        await world.clock.sleep(100.0)
        lists = world.bucket.list(paths.manifests_prefix(COLLECTION))
        assert len(lists) == 1
        assert len(world.bucket.list(paths.NAMES_PREFIX)) == 1

    play(scene, SOON)


async def _outcome(world: World, request: SaveBinlogPathsRequest) -> str:
    try:
        return str((await world.ask(request)).outcome)
    except HeadraceError as error:
        return type(error).__name__
