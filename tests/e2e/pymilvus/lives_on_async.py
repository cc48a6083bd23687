"""`lives_on.py` with the asynchronous client: `lives_on_async.py URI COLLECTION STOP`."""

import asyncio
import logging
import sys
from asyncio import sleep
from pathlib import Path
from time import monotonic

from pymilvus import AsyncMilvusClient, MilvusException

uri, collection, stop = sys.argv[1:]
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs each error that it raises


def is_over():
    return Path(stop).exists()


async def insert(client, rows, key):
    """Once, however often it has to be sent; how often it was not possible."""
    failures = 0
    while True:
        try:
            await client.insert(collection, rows, client_request_id=f"headrace:{key}")
        except MilvusException:
            failures += 1
            await sleep(0.2)
        else:
            return failures


async def main():
    options = {"grpc.max_reconnect_backoff_ms": 1000}
    client = AsyncMilvusClient(uri=uri, grpc_options=options)
    await client.create_collection(collection, dimension=4, auto_id=True)
    began = monotonic()
    batches = 0
    failures = 0
    while not is_over():
        rows = [{"vector": [batches] * 4, "number": 10 * batches + n} for n in range(10)]
        failures += await insert(client, rows, f"{collection}-{began}-{batches}")
        batches += 1
        print(batches, flush=True)
        await sleep(0.02)
    await client.flush(collection)
    assert (await client.get_collection_stats(collection))["row_count"] == 10 * batches
    assert failures, "the server was away"
    await client.close()


asyncio.run(main())
