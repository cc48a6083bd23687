"""A program that writes through a restart of the server, with one client from beginning to end.

`lives_on.py URI COLLECTION STOP`: it writes until the file STOP exists. Each batch has a key of its
own, so it may be sent again without a thought for what became of the first time.
"""

import logging
import sys
from pathlib import Path
from time import monotonic, sleep

from pymilvus import MilvusClient, MilvusException

uri, collection, stop = sys.argv[1:]
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs each error that it raises
client = MilvusClient(uri=uri, grpc_options={"grpc.max_reconnect_backoff_ms": 1000})
client.create_collection(collection, dimension=4, auto_id=True)


def insert(rows, key):
    """Once, however often it has to be sent; how often it was not possible."""
    failures = 0
    while True:
        try:
            client.insert(collection, rows, client_request_id=f"headrace:{key}")
        except MilvusException:
            failures += 1
            sleep(0.2)
        else:
            return failures


began = monotonic()
batches = 0
failures = []
while not Path(stop).exists():
    rows = [{"vector": [batches] * 4, "number": 10 * batches + n} for n in range(10)]
    failed = insert(rows, f"{collection}-{began}-{batches}")
    if failed:
        failures.append(failed)
    batches += 1
    print(batches, flush=True)
    sleep(0.02)

client.flush(collection)
assert client.get_collection_stats(collection)["row_count"] == 10 * batches
assert client.describe_collection(collection)["collection_name"] == collection
assert failures, "the server was away"
client.close()
