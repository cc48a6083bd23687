"""Properties that are served are remembered and told again; all others are refused by name."""

from typing import Any

import pytest
from support.world.proxy import ProxyWorld, pb, schema_pb, simple_schema

from headrace.proxy.collections.properties import SERVED_PROPERTIES
from headrace.proxy.milvus import Message


async def alter(world: ProxyWorld, *delete: str, **values: Any) -> Message:
    request = pb.AlterCollectionRequest(collection_name="c", delete_keys=delete)
    for key, value in values.items():
        request.properties.add(key=key.replace("_", "."), value=value)
    return await world.call("AlterCollection", request)


async def properties(world: ProxyWorld) -> dict[str, str]:
    answer = await world.call(
        "DescribeCollection", pb.DescribeCollectionRequest(collection_name="c")
    )
    return {pair.key: pair.value for pair in answer.properties}


async def create(world: ProxyWorld, **values: str) -> Message:
    request = pb.CreateCollectionRequest(
        collection_name="c", schema=simple_schema().SerializeToString()
    )
    for key, value in values.items():
        request.properties.add(key=key.replace("_", "."), value=value)
    return await world.call("CreateCollection", request)


async def test_properties_are_told_as_they_were_last_said() -> None:
    async with ProxyWorld() as world:
        assert (await create(world, mmap_enabled="true")).code == 0
        assert await properties(world) == {"mmap.enabled": "true"}
        assert (await alter(world, mmap_enabled="False", lazyload_enabled="true")).code == 0
        assert await properties(world) == {"lazyload.enabled": "true", "mmap.enabled": "False"}
        assert (await alter(world, "mmap.enabled", "lazyload.enabled")).code == 0
        assert await properties(world) == {}
        assert (await alter(world, mmap_enabled="true")).code == 0
        assert await properties(world) == {"mmap.enabled": "true"}


async def test_taking_away_what_is_not_there_is_done() -> None:
    async with ProxyWorld() as world:
        await create(world)
        assert (await alter(world, "mmap.enabled", "collection.ttl.seconds")).code == 0
        assert len(world.orders) == 1, "there was nothing to forget"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("collection.ttl.seconds", "5", "'collection.ttl.seconds' of the collection is set"),
        ("collection.insertRate.max.mb", "1", "served are collection.autocompaction.enabled, "),
        ("", "x", "the property '' of the collection is set"),
        *((key, "perhaps", f"{key!r} is 'perhaps': it must be") for key in SERVED_PROPERTIES),
    ],
)
async def test_what_is_not_served_is_refused_by_name_and_nothing_is_changed(
    key: str, value: str, words: str
) -> None:
    async with ProxyWorld() as world:
        await create(world)
        request = pb.AlterCollectionRequest(collection_name="c")
        request.properties.add(key="lazyload.enabled", value="true")
        request.properties.add(key=key, value=value)
        status = await world.call("AlterCollection", request)
        assert status.code == 1100
        assert words in status.reason
        assert await properties(world) == {}
        made = pb.CreateCollectionRequest(
            collection_name="d",
            schema=simple_schema().SerializeToString(),
            properties=request.properties,
        )
        assert words in (await world.call("CreateCollection", made)).reason


async def test_an_absent_collection_has_no_properties() -> None:
    async with ProxyWorld() as world:
        assert (await alter(world, mmap_enabled="true")).code == 100


async def test_a_collection_is_altered_by_its_id() -> None:
    async with ProxyWorld() as world:
        await create(world)
        (record,) = world.collections()
        request = pb.AlterCollectionRequest(collectionID=record.id)
        request.properties.add(key="mmap.enabled", value="true")
        assert (await world.call("AlterCollection", request)).code == 0
        assert await properties(world) == {"mmap.enabled": "true"}


async def test_a_property_in_the_schema_is_refused() -> None:
    async with ProxyWorld() as world:
        schema = simple_schema()
        schema.properties.add(key="mmap.enabled", value="true")
        assert isinstance(schema, schema_pb.CollectionSchema)
        request = pb.CreateCollectionRequest(collection_name="c", schema=schema.SerializeToString())
        assert "'mmap.enabled'" in (await world.call("CreateCollection", request)).reason
