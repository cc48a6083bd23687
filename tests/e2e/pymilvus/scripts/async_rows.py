"""The asynchronous client: rows in, changed, deleted, many requests at once."""

import asyncio
import sys

from pymilvus import AsyncMilvusClient


async def main():
    client = AsyncMilvusClient(uri=sys.argv[1])
    await client.drop_collection("async_rows")
    await client.create_collection("async_rows", dimension=4)

    rows = [{"id": n, "vector": [n] * 4, "round": 1} for n in range(100)]
    batches = [rows[first : first + 10] for first in range(0, 100, 10)]
    results = await asyncio.gather(*(client.insert("async_rows", batch) for batch in batches))
    assert [result["insert_count"] for result in results] == [10] * 10

    newer = [{"id": n, "vector": [-n] * 4, "round": 2} for n in range(50, 60)]
    assert (await client.upsert("async_rows", newer))["upsert_count"] == 10
    assert (await client.delete("async_rows", ids=[0, 1]))["delete_count"] == 2
    assert (await client.delete("async_rows", filter="id in [2, 3]"))["delete_count"] == 2

    await client.flush("async_rows")
    assert await client.get_collection_stats("async_rows") == {"row_count": 110}
    await client.close()
    return {"async_rows": [*rows[4:50], *newer, *rows[60:]]}


stored = asyncio.run(main())
