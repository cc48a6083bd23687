"""Flush every collection at once."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
names = ["flush_all_1", "flush_all_2"]
for name in names:
    client.drop_collection(name)
    client.create_collection(name, dimension=4)
    client.insert(name, [{"id": n, "vector": [n] * 4} for n in range(7)])

client.flush_all()
for name in names:
    assert client.get_collection_stats(name)["row_count"] == 7
assert client.get_flush_all_state(flush_all_ts=1)  # long ago

stored = {name: [{"id": n, "vector": [n] * 4} for n in range(7)] for name in names}
client.close()
