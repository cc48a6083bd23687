"""The list of names beside the files."""

import asyncio

from support.world.dataservice import World

from headrace.binlog import manifest, paths
from headrace.dataservice.manifests.names import store_names
from headrace.meta.api import Delete
from headrace.model import codec


def names(world: World) -> dict[str, int]:
    lists = world.bucket.list(paths.NAMES_PREFIX)
    return codec.decode(world.bucket.get(lists[-1].key), manifest.NameList).names


def test_the_highest_list_has_the_names_as_they_are() -> None:
    async def scene() -> None:
        world = World()
        world.create(1)
        first = await store_names(world.meta, world.keys, world.objects)
        assert names(world) == {"c7": 7} and first == world.store.revision
        world.create(1, collection_id=8)
        await store_names(world.meta, world.keys, world.objects)
        assert names(world) == {"c7": 7, "c8": 8}
        world.store.txn([], [Delete(world.keys.name("c7"))])
        await store_names(world.meta, world.keys, world.objects)
        assert names(world) == {"c8": 8}

    asyncio.run(scene())


def test_what_is_listed_already_is_not_listed_again() -> None:
    async def scene() -> None:
        world = World()
        world.create(1)
        await store_names(world.meta, world.keys, world.objects)
        world.store.txn([], [Delete("headrace/other")])
        for _ in range(2):
            assert await store_names(world.meta, world.keys, world.objects) == world.store.revision
        assert len(world.bucket.list(paths.NAMES_PREFIX)) == 1

    asyncio.run(scene())


def test_a_cluster_without_collections_has_a_list_without_names() -> None:
    async def scene() -> None:
        world = World()
        await store_names(world.meta, world.keys, world.objects)
        assert names(world) == {}

    asyncio.run(scene())
