"""What meta says of vchannels and collections, as events."""

import asyncio

from support.world.clock import manual_host, settle
from support.world.dataservice import World
from support.world.facts import COLLECTION, position

from headrace.dataservice.events import (
    ChannelsListed,
    CheckpointSeen,
    CollectionChanged,
    EpochSeen,
    Event,
)
from headrace.dataservice.state.follow import Follower
from headrace.meta.api import Delete, Put
from headrace.meta.records import CheckpointRecord, EpochRecord
from headrace.model import codec
from headrace.runtime.telemetry import Silent


class Scene:
    def __init__(self) -> None:
        self.world = World()
        self.events: list[Event] = []
        host = manual_host(self.world.clock)
        self.follower = Follower(
            self.world.meta, self.world.keys, host, Silent(), self.events.append
        )

    def take(self) -> list[Event]:
        taken, self.events[:] = list(self.events), []
        return taken


def test_everything_is_listed_first_and_then_told_change_by_change() -> None:
    async def scene() -> None:
        s = Scene()
        world, keys = s.world, s.world.keys
        (a,) = world.create(1)
        task = asyncio.create_task(s.follower.follow_channels())
        await settle()
        (listed,) = s.take()
        assert isinstance(listed, ChannelsListed)
        assert [e.vchannel for e in listed.epochs] == [a]
        assert [c.vchannel for c in listed.checkpoints] == [a]
        epoch = EpochRecord(epoch=1, server_id=5)
        start = position(a, 1)
        checkpoint = CheckpointRecord(position=start, start=start)
        operations = [
            Put(keys.epoch(a), codec.encode(epoch)),
            Put(keys.checkpoint(a), codec.encode(checkpoint)),
        ]
        at = world.store.txn([], operations).revision
        await settle()
        assert s.take() == [EpochSeen(a, epoch, at), CheckpointSeen(a, checkpoint, at)]
        at = world.store.txn([], [Delete(keys.epoch(a))]).revision
        await settle()
        assert s.take() == [EpochSeen(a, None, at)]
        task.cancel()

    asyncio.run(scene())


def test_what_is_not_ours_is_left_out() -> None:
    async def scene() -> None:
        s = Scene()
        task = asyncio.create_task(s.follower.follow_channels())
        await settle()
        s.take()
        s.world.store.txn([], [Put(s.world.keys.epoch("p-0_7v0"), b"nonsense")])
        s.world.store.txn([], [Put(s.world.keys.deletes("p-0_7v0"), b"{}")])
        epoch = codec.encode(EpochRecord(epoch=1, server_id=5))
        s.world.store.txn([], [Put(s.world.keys.epoch("nonsense"), epoch)])
        await settle()
        assert s.take() == []
        task.cancel()

    asyncio.run(scene())


def test_changes_of_collections_are_told_by_their_ids() -> None:
    async def scene() -> None:
        s = Scene()
        task = asyncio.create_task(s.follower.follow_collections())
        await settle()
        s.world.create(1)
        await settle()
        assert s.take() == [CollectionChanged(COLLECTION, True)]
        s.world.store.txn([], [Delete(s.world.keys.collection(COLLECTION))])
        await settle()
        assert s.take() == [CollectionChanged(COLLECTION, False)]
        task.cancel()

    asyncio.run(scene())
