"""All that meta says of a vchannel, read at one revision."""

import asyncio
from dataclasses import replace

import pytest
from support.world.dataservice import World
from support.world.facts import PARTITION, insert_file, position

from headrace.dataservice.state.channel_state import read_channel
from headrace.meta.api import Delete, Put
from headrace.meta.records import BundleRecord, CheckpointRecord, SegmentRecord
from headrace.model import codec
from headrace.model.errors import Corrupt, NotFound, Unavailable
from headrace.model.segment import FileRef, SegmentState


def segment(vchannel: str, segment_id: int, partition_id: int = PARTITION) -> SegmentRecord:
    return SegmentRecord(
        id=segment_id,
        collection_id=7,
        partition_id=partition_id,
        vchannel=vchannel,
        version=1,
        state=SegmentState.FLUSHED,
        rows=10,
        start=position(vchannel, 1),
        checkpoint=position(vchannel, 5),
        files=(insert_file(vchannel, segment_id, 1, segment_id, 5),),
    )


def filled() -> tuple[World, str]:
    """Segment 11 with its own key, 12 and 13 in a bundle, one delta log."""
    world = World()
    (v,) = world.create(1)
    keys = world.keys
    bundle = BundleRecord(segments=(segment(v, 12), segment(v, 13, 71)), object_key="b")
    delta = FileRef(key="d", epoch=1, rows=1, size_bytes=1, first_timestamp=1, last_timestamp=2)
    operations = [
        Put(keys.segment(v, 11), codec.encode(segment(v, 11))),
        Put(keys.bundle(v, 1), codec.encode(bundle)),
        Put(keys.delta(v, "1-1"), codec.encode(delta)),
    ]
    world.store.txn([], operations)
    return world, v


def test_segments_are_found_wherever_they_stand() -> None:
    async def scene() -> None:
        world, v = filled()
        channel = await read_channel(world.meta, world.keys, v)
        assert [s.id for s in channel.all_segments()] == [11, 12, 13]
        assert channel.segment(12) == segment(v, 12)
        assert channel.segment(99) is None
        assert channel.revision == world.store.revision

    asyncio.run(scene())


def test_a_drop_that_the_checkpoint_has_passed_counts_before_the_records_say_so() -> None:
    async def scene() -> None:
        world, v = filled()
        channel = await read_channel(world.meta, world.keys, v)
        checkpoint = replace(channel.checkpoint.value, dropped_partitions=(71,))
        channel = replace(channel, checkpoint=replace(channel.checkpoint, value=checkpoint))
        assert [s.id for s in channel.live_segments()] == [11, 12]
        whole = replace(checkpoint, dropped=True)
        channel = replace(channel, checkpoint=replace(channel.checkpoint, value=whole))
        assert not list(channel.live_segments())

    asyncio.run(scene())


def test_what_changed_later_is_not_in_an_channel_state_of_an_earlier_revision() -> None:
    async def scene() -> None:
        world, v = filled()
        before = world.store.revision
        moved = CheckpointRecord(position=position(v, 9), start=position(v, 1))
        operations = [
            Put(world.keys.checkpoint(v), codec.encode(moved)),
            Delete(world.keys.segment(v, 11)),
        ]
        world.store.txn([], operations)
        channel = await read_channel(world.meta, world.keys, v, revision=before)
        assert channel.checkpoint.value.position == position(v, 1)
        assert 11 in channel.segments
        with pytest.raises(Unavailable):
            world.store.compact(world.store.revision)
            await read_channel(world.meta, world.keys, v, revision=before)

    asyncio.run(scene())


def test_what_is_kept_between_commits_has_no_files_of_bundles_and_no_delta_logs() -> None:
    async def scene() -> None:
        world, v = filled()
        channel = (await read_channel(world.meta, world.keys, v)).slim()
        known = channel.segment(12)
        assert known is not None and not known.files
        assert (known.state, known.checkpoint) == (SegmentState.FLUSHED, position(v, 5))
        assert channel.segments[11].value.files and not channel.deltas
        assert channel.slim() == channel

    asyncio.run(scene())


def test_an_unknown_vchannel_is_told_apart_from_half_a_vchannel() -> None:
    async def scene() -> None:
        world, v = filled()
        with pytest.raises(NotFound):
            await read_channel(world.meta, world.keys, "p-9_9v9")
        world.store.txn([], [Delete(world.keys.epoch(v))])
        with pytest.raises(Corrupt):
            await read_channel(world.meta, world.keys, v)

    asyncio.run(scene())
