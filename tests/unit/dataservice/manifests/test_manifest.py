"""What is on a manifest."""

from dataclasses import replace
from itertools import pairwise

from support.world.dataservice import World, play, watched
from support.world.facts import (
    COLLECTION,
    PARTITION,
    SCHEMA,
    deletes_report,
    position,
    report,
    segment_report,
    stamp,
)

from headrace.binlog import paths
from headrace.dataservice.manifests.manifest import (
    Derived,
    HeldBack,
    derive,
    half_passed,
    store,
)
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.api import Put
from headrace.meta.records import CollectionRecord, DdlRecord, PartitionRecord
from headrace.model import codec
from headrace.model.entry import DdlKind
from headrace.model.schema import DataType, Field
from headrace.rpc.messages import CheckpointMove, SaveCheckpointsRequest


def listed_up_to(world: World) -> int:
    listed = world.listed()
    return listed.timestamp if listed else 0


async def derived_manifest(world: World) -> Derived:
    derived = await derive(world.meta, world.keys, COLLECTION, [])
    assert isinstance(derived, Derived)
    return derived


QUICK = DataServiceSettings(settle_s=0.1, manifest_interval_s=10.0)


def test_a_collection_has_a_list_soon_after_it_was_made() -> None:
    async def scene(world: World) -> None:
        world.create(2)
        await world.until(lambda: world.listed() is not None, limit_s=2.0)
        listed = world.listed()
        assert listed is not None
        assert (listed.name, listed.timestamp, listed.segments) == ("c7", stamp(1), ())
        assert listed.partitions == {PARTITION: "_default"}
        assert listed.schemas == {1: SCHEMA}

    play(scene, QUICK)


def test_a_list_is_complete_up_to_the_lowest_checkpoint() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        a, b = world.create(2)
        await watched(world, [a, b])
        deletes = deletes_report(a, 1, 2, (None, 5))
        rows = segment_report(a, 11, 1, 1, (None, 5))
        await world.ask(report(a, 1, (1, 5), rows, deletes=deletes))
        derived = await derived_manifest(world)
        assert derived.manifest.timestamp == stamp(1)
        assert not derived.complete and not derived.over
        await world.ask(report(b, 1, (1, 9)))
        derived = await derived_manifest(world)
        assert derived.manifest.timestamp == stamp(5) and derived.complete
        assert [s.id for s in derived.manifest.segments] == [11]
        assert [d.key for d in derived.manifest.deltas] == [paths.delta_key(COLLECTION, a, 1, 2)]
        assert derived.manifest.revision == world.store.revision

    play(scene, QUICK)


def test_lists_are_at_least_ten_seconds_apart_when_nobody_waits() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        for n in range(40):
            extends = None if n == 0 else n + 1
            sync = segment_report(a, 11, 1, n, (extends, n + 2))
            await world.ask(report(a, 1, (n + 1, n + 2), sync))
            await world.clock.sleep(1.0)
        times = [o.modified_ms for o in world.bucket.list(paths.manifests_prefix(COLLECTION))]
        assert all(b - a >= 9_900 for a, b in pairwise(times))
        assert len(times) >= 4

    play(scene, QUICK)


def test_checkpoints_alone_are_listed_only_while_rows_lie_above_the_list() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        await world.ask(report(a, 1, (1, 3), segment_report(a, 11, 1, 1, (None, 5))))
        await world.clock.sleep(15.0)
        await world.ask(report(a, 1, (3, 6)))  # now all rows are below the checkpoint
        await world.until(lambda: listed_up_to(world) == stamp(6))
        for n in range(6, 20):
            move = CheckpointMove(
                vchannel=a, epoch=1, extends=position(a, n), checkpoint=position(a, n + 1)
            )
            answer = await world.ask(SaveCheckpointsRequest(1, (move,)))
            assert not answer.left_out
            await world.clock.sleep(20.0)
        assert listed_up_to(world) == stamp(6)
        await world.until(lambda: listed_up_to(world) == stamp(20), limit_s=600.0)

    play(scene, replace(QUICK, idle_manifest_interval_s=600.0))


def test_a_list_that_is_stored_twice_is_one_list() -> None:
    async def scene(world: World) -> None:
        world.create(1)
        derived = await derived_manifest(world)
        await store(world.objects, derived.manifest)
        await store(world.objects, derived.manifest)
        assert world.bucket.get(paths.manifest_key(COLLECTION, derived.manifest.revision))

    play(scene, QUICK)


def test_a_list_has_every_schema_that_a_segment_names() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        await world.ask(report(a, 1, (1, 3), segment_report(a, 11, 1, 1, (None, 3))))
        added = Field(id=101, name="x", type=DataType.INT8)
        wider = replace(SCHEMA, fields=(*SCHEMA.fields, added))
        for version in (2, 3):
            world.record_ddl(
                DdlRecord(
                    collection_id=COLLECTION,
                    version=version,
                    kind=DdlKind.ALTER,
                    schema=wider,
                    name="c7",
                    recorded=stamp(4),
                    noted=True,
                    positions={a: position(a, 3 + version)},
                )
            )
        derived = await derived_manifest(world)
        assert derived.manifest.version == 3
        assert derived.manifest.schemas == {1: SCHEMA, 3: wider}

    play(scene, QUICK)


def test_a_dropped_partition_leaves_the_list_when_all_checkpoints_have_passed_all_its_drops() -> (
    None
):
    async def scene(world: World) -> None:
        node = await world.add_node(1)
        a, b = world.create(2)
        key = world.keys.collection(COLLECTION)
        found = world.store.read(key, False, 0).first
        assert found is not None
        record = codec.decode(found.value, CollectionRecord)
        other = PartitionRecord(id=71, name="p", created=stamp(2))
        record = replace(record, partitions=(*record.partitions, other))
        world.store.txn([], [Put(key, codec.encode(record))])
        await watched(world, [a, b])
        for n, vchannel in enumerate((a, b)):
            kept = segment_report(vchannel, 11 + n, 1, 1, (None, 5))
            gone = segment_report(vchannel, 21 + n, 1, 2, (None, 5), partition_id=71)
            await world.ask(report(vchannel, 1, (1, 5), kept, gone))
        derived = await derived_manifest(world)
        assert [s.id for s in derived.manifest.segments] == [11, 12, 21, 22]

        async def held() -> dict[str, int]:
            derived = await derive(world.meta, world.keys, COLLECTION, [])
            return dict(derived.awaits) if isinstance(derived, HeldBack) else {}

        await world.ask(report(a, 1, (5, 7), dropped_partitions=(71,)))
        assert await held() == {a: 0, b: 0}  # nobody knows yet where the drop stands
        drop = DdlRecord(
            collection_id=COLLECTION,
            version=2,
            kind=DdlKind.DROP_PARTITION,
            schema=SCHEMA,
            name="c7",
            recorded=stamp(5),
            partition_id=71,
            noted=True,
            positions={a: position(a, 7), b: position(b, 9)},
        )
        world.record_ddl(drop)
        assert await held() == {a: stamp(9), b: stamp(9)}
        await world.until(lambda: node.awaited == {a: stamp(9), b: stamp(9)})
        await world.ask(report(b, 1, (5, 9), dropped_partitions=(71,)))
        assert await held() == {a: stamp(9)}
        await world.ask(report(a, 1, (7, 9)))
        derived = await derived_manifest(world)
        assert [s.id for s in derived.manifest.segments] == [11, 12]
        assert derived.manifest.timestamp == stamp(9)
        assert derived.manifest.partitions == {PARTITION: "_default"}

    play(scene, QUICK)


def test_a_collection_that_is_half_dropped_has_no_new_list() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        a, b = world.create(2)
        await watched(world, [a, b])
        await world.ask(report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5))))
        await world.ask(report(a, 1, (5, 7), dropped=True))
        channels = [await world.channel(v) for v in (a, b)]
        assert half_passed(channels, []) == ((b, 0),)
        await world.ask(report(b, 1, (1, 9), dropped=True))
        derived = await derived_manifest(world)
        assert derived.over and not derived.manifest.segments
        assert derived.manifest.timestamp == stamp(9)  # nothing can follow in a

    play(scene, QUICK)
