"""The asynchronous client: collections, partitions, indexes, loads."""

import asyncio
import sys

from pymilvus import AsyncMilvusClient, DataType


async def main():
    client = AsyncMilvusClient(uri=sys.argv[1])
    for name in ("async_first", "async_second"):
        await client.drop_collection(name)
    assert (await client.get_server_version()).startswith("headrace-")
    assert client.get_server_type() == "milvus"

    schema = AsyncMilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
    await client.create_collection("async_first", schema=schema)
    assert AsyncMilvusClient.create_field_schema("id", DataType.INT64).name == "id"
    assert await client.has_collection("async_first")
    assert "async_first" in await client.list_collections()
    assert (await client.describe_collection("async_first"))["num_shards"] == 1

    index_params = AsyncMilvusClient.prepare_index_params()
    index_params.add_index("vector", index_type="HNSW", metric_type="L2", params={"M": 8})
    await client.create_index("async_first", index_params)
    assert await client.list_indexes("async_first") == ["vector"]
    assert (await client.describe_index("async_first", "vector"))["index_type"] == "HNSW"
    await client.load_collection("async_first")
    await client.refresh_load("async_first")
    assert (await client.get_load_state("async_first"))["state"].name == "Loaded"
    await client.release_collection("async_first")
    await client.drop_index("async_first", "vector")

    await client.create_partition("async_first", "p")
    assert await client.has_partition("async_first", "p")
    assert await client.list_partitions("async_first") == ["_default", "p"]
    await client.insert("async_first", [{"id": 1, "vector": [1] * 4}], partition_name="p")
    await client.insert("async_first", [{"id": 2, "vector": [2] * 4}])
    await client.flush("async_first")
    assert (await client.get_partition_stats("async_first", "p"))["row_count"] == 1
    assert len(await client.list_persistent_segments("async_first")) == 2
    if hasattr(client, "list_segments"):  # pymilvus 3
        assert len(await client.list_segments("async_first")) == 2
    await client.load_partitions("async_first", ["p"])
    await client.release_partitions("async_first", ["p"])
    await client.drop_partition("async_first", "p")

    await client.alter_collection_properties("async_first", {"mmap.enabled": True})
    described = await client.describe_collection("async_first")
    assert described["properties"] == {"mmap.enabled": "True"}
    await client.drop_collection_properties("async_first", ["mmap.enabled"])
    assert not (await client.describe_collection("async_first")).get("properties")

    await client.rename_collection("async_first", "async_second")
    assert not await client.has_collection("async_first")
    await client.flush("async_second")

    assert await client.list_databases() == ["default"]
    assert (await client.describe_database("default"))["name"] == "default"
    await client.use_database("default")
    await client.using_database("default")
    assert await client.list_aliases("async_second") == []
    await client.close()
    return {"async_second": [{"id": 2, "vector": [2] * 4}]}


stored = asyncio.run(main())
