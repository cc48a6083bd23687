"""The catalog answers from its copy and reads the store before it refuses."""

from dataclasses import replace

import pytest
from support.world.clock import settle
from support.world.proxy import ProxyWorld, simple_schema

from headrace.meta.api import Delete, Put
from headrace.meta.records import CollectionState
from headrace.model.codec import encode
from headrace.model.errors import NotFound
from headrace.proxy.cluster.catalog import check_database


async def test_a_collection_is_found_in_the_copy() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        await settle()
        world.trouble.away = True
        assert await world.assembly.catalog.find("c") == record


async def test_what_the_copy_lacks_is_read() -> None:
    async with ProxyWorld() as world:
        await world.lag()
        record = await world.create("c", simple_schema())
        assert await world.assembly.catalog.find("c") == record
        with pytest.raises(NotFound):
            await world.assembly.catalog.find("d")
        with pytest.raises(NotFound):
            await world.assembly.catalog.find("")


async def test_a_name_that_points_to_another_collection_is_not_followed() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        await world.meta.txn([], [Put(world.keys.name("d"), str(record.id).encode())])
        with pytest.raises(NotFound):
            await world.assembly.catalog.read("d")
        await world.meta.txn([], [Delete(world.keys.collection(record.id))])
        with pytest.raises(NotFound):
            await world.assembly.catalog.read("c")
        with pytest.raises(NotFound):
            await world.assembly.catalog.read_id(record.id)


async def test_all_are_those_that_are_there() -> None:
    async with ProxyWorld() as world:
        first = await world.create("b", simple_schema())
        await world.create("a", simple_schema())
        record = replace(first, id=5000, name="x", state=CollectionState.CREATING)
        await world.meta.txn([], [Put(world.keys.collection(5000), encode(record))])
        assert [r.name for r in await world.assembly.catalog.all()] == ["a", "b"]


def test_there_is_one_database() -> None:
    check_database("", "default")
    with pytest.raises(NotFound, match="'other'"):
        check_database("", "other")
