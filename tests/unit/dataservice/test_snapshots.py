"""What is on a snapshot list."""

from dataclasses import replace
from itertools import pairwise

from support.dataworld import (
    COLLECTION,
    PARTITION,
    SCHEMA,
    World,
    deletes_report,
    play,
    position,
    report,
    segment_report,
    stamp,
    watched,
)

from headrace.binlog import paths
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.snapshots import derive, store
from headrace.meta.api import Put
from headrace.meta.records import CollectionRecord, DdlRecord, PartitionRecord
from headrace.model import codec
from headrace.model.entry import DdlKind
from headrace.model.schema import DataType, Field
from headrace.rpc.messages import CheckpointMove, SaveCheckpointsRequest


def listed_up_to(world: World) -> int:
    listed = world.listed()
    return listed.timestamp if listed else 0


QUICK = DataServiceSettings(settle_s=0.1, list_interval_s=10.0)


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
        derived = await derive(world.meta, world.keys, COLLECTION, [])
        assert derived.list.timestamp == stamp(1)
        assert not derived.complete and not derived.over
        await world.ask(report(b, 1, (1, 9)))
        derived = await derive(world.meta, world.keys, COLLECTION, [])
        assert derived.list.timestamp == stamp(5) and derived.complete
        assert [s.id for s in derived.list.segments] == [11]
        assert [d.key for d in derived.list.deltas] == [paths.delta_key(COLLECTION, a, 1, 2)]
        assert derived.list.revision == world.store.revision

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
        times = [o.modified_ms for o in world.bucket.list(paths.snapshots_prefix(COLLECTION))]
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

    play(scene, replace(QUICK, idle_list_interval_s=600.0))


def test_a_list_that_is_stored_twice_is_one_list() -> None:
    async def scene(world: World) -> None:
        world.create(1)
        derived = await derive(world.meta, world.keys, COLLECTION, [])
        await store(world.objects, derived.list)
        await store(world.objects, derived.list)
        assert world.bucket.get(paths.snapshot_key(COLLECTION, derived.list.revision))

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
        derived = await derive(world.meta, world.keys, COLLECTION, [])
        assert derived.list.version == 3
        assert derived.list.schemas == {1: SCHEMA, 3: wider}

    play(scene, QUICK)


def test_a_dropped_partition_leaves_the_list_with_the_first_checkpoint_that_passes_it() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
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
            await world.ask(
                report(
                    vchannel,
                    1,
                    (1, 5),
                    segment_report(vchannel, 11 + n, 1, 1, (None, 5)),
                    segment_report(vchannel, 21 + n, 1, 2, (None, 5), partition_id=71),
                )
            )
        derived = await derive(world.meta, world.keys, COLLECTION, [])
        assert [s.id for s in derived.list.segments] == [11, 12, 21, 22]
        await world.ask(report(a, 1, (5, 7), dropped_partitions=(71,)))
        derived = await derive(world.meta, world.keys, COLLECTION, [])
        assert [s.id for s in derived.list.segments] == [11, 12]
        assert derived.list.partitions == {PARTITION: "_default"}

    play(scene, QUICK)
