"""What a flowgraph is told to begin with."""

import asyncio
from dataclasses import replace

from support.world.dataservice import World
from support.world.facts import PARTITION, SCHEMA, insert_file, position, stamp, vchannels_of

from headrace.dataservice.placement.watches import read_watch, schemas_from, segments_from
from headrace.dataservice.state.channel_state import Stored, VChannelState
from headrace.meta.api import Put
from headrace.meta.keys import Keys
from headrace.meta.records import (
    BundleRecord,
    CheckpointRecord,
    DdlRecord,
    DeletesRecord,
    EpochRecord,
    SegmentRecord,
)
from headrace.model import codec
from headrace.model.entry import DdlKind
from headrace.model.segment import SegmentState

KEYS = Keys()
V = vchannels_of(7, 1)[0]


def segment(segment_id: int, upto: int, state: SegmentState) -> SegmentRecord:
    return SegmentRecord(
        id=segment_id,
        collection_id=7,
        partition_id=PARTITION,
        vchannel=V,
        version=1,
        state=state,
        rows=10,
        start=position(V, 1),
        checkpoint=position(V, upto),
        files=(insert_file(V, segment_id, 1, segment_id, upto),),
    )


def channel(*segments: SegmentRecord, bundled: tuple[SegmentRecord, ...] = ()) -> VChannelState:
    checkpoint = CheckpointRecord(position=position(V, 10), start=position(V, 1))
    bundle = Stored(KEYS.bundle(V, 1), 3, BundleRecord(segments=bundled, object_key="b"))
    return VChannelState(
        vchannel=V,
        revision=9,
        epoch=Stored(KEYS.epoch(V), 1, EpochRecord(epoch=3, server_id=1)),
        checkpoint=Stored(KEYS.checkpoint(V), 2, checkpoint),
        segments={s.id: Stored(KEYS.segment(V, s.id), 3, s) for s in segments},
        bundles={bundle.key: bundle} if bundled else {},
    )


def test_it_names_growing_segments_and_what_has_rows_above_the_seek_position() -> None:
    there = channel(
        segment(1, 5, SegmentState.GROWING),
        segment(2, 15, SegmentState.GROWING),
        segment(3, 5, SegmentState.FLUSHED),
        segment(4, 15, SegmentState.FLUSHED),
        segment(5, 5, SegmentState.DROPPED),
        segment(6, 15, SegmentState.DROPPED),
        bundled=(segment(7, 10, SegmentState.FLUSHED), segment(8, 11, SegmentState.FLUSHED)),
    )
    watched = segments_from(there, position(V, 10))
    assert [(s.segment_id, s.state) for s in watched] == [
        (1, "growing"),
        (2, "growing"),
        (4, "flushed"),
        (6, "dropped"),
        (8, "flushed"),
    ]
    assert watched[0].checkpoint == position(V, 5)


def test_segments_of_a_dropped_partition_are_dropped() -> None:
    there = channel(segment(1, 5, SegmentState.GROWING), segment(2, 15, SegmentState.GROWING))
    passed = replace(there.checkpoint.value, dropped_partitions=(PARTITION,))
    there = replace(there, checkpoint=replace(there.checkpoint, value=passed))
    watched = segments_from(there, position(V, 10))
    assert [(s.segment_id, s.state) for s in watched] == [(2, "dropped")]


def ddl(version: int, at: int | None, kind: DdlKind = DdlKind.ALTER) -> DdlRecord:
    return DdlRecord(
        collection_id=7,
        version=version,
        kind=kind,
        schema=SCHEMA,
        name="c7",
        recorded=stamp(at or 0),
        noted=at is not None,
        positions={} if at is None else {V: position(V, at)},
    )


def test_it_brings_the_version_in_force_and_every_later_one_noted_or_not() -> None:
    history = [ddl(1, 2, DdlKind.CREATE), ddl(2, 8), ddl(3, 12), ddl(4, None)]
    told = schemas_from(V, position(V, 10), history)
    assert [(s.version, s.timestamp) for s in told] == [(2, stamp(8)), (3, stamp(12)), (4, 0)]
    assert [s.version for s in schemas_from(V, position(V, 8), history)] == [2, 3, 4]
    assert [s.version for s in schemas_from(V, position(V, 1), history)] == [1, 2, 3, 4]


def test_it_is_read_at_a_revision_not_before_that_of_its_epoch() -> None:
    async def scene() -> None:
        world = World()
        (v,) = world.create(1)
        key = world.keys.epoch(v)
        world.store.txn([], [Put(key, codec.encode(EpochRecord(epoch=1, server_id=5)))])
        checkpoint = CheckpointRecord(position=position(v, 4), start=position(v, 1))
        deletes = DeletesRecord(checkpoint=position(v, 3))
        operations = [
            Put(world.keys.checkpoint(v), codec.encode(checkpoint)),
            Put(world.keys.deletes(v), codec.encode(deletes)),
        ]
        world.store.txn([], operations)
        watch = await read_watch(world.meta, world.keys, v, 1)
        assert watch is not None
        assert (watch.epoch, watch.collection_id, watch.seek) == (1, 7, position(v, 4))
        assert watch.deletes_checkpoint == position(v, 3)
        assert [s.version for s in watch.schemas] == [1]
        assert await read_watch(world.meta, world.keys, v, 2) is None
        ended = EpochRecord(epoch=1, server_id=5, ended=True)
        world.store.txn([], [Put(key, codec.encode(ended))])
        assert await read_watch(world.meta, world.keys, v, 1) is None

    asyncio.run(scene())
