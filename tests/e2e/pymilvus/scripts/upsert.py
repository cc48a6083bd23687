"""Upsert: what is there is replaced, what is not is inserted."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("upserted")
client.create_collection("upserted", dimension=4)

client.insert("upserted", [{"id": n, "vector": [n] * 4, "round": 1} for n in range(10)])
newer = [{"id": n, "vector": [-n] * 4, "round": 2} for n in range(5, 15)]
assert client.upsert("upserted", newer)["upsert_count"] == 10
assert client.upsert("upserted", {"id": 0, "vector": [9] * 4})["upsert_count"] == 1
client.flush("upserted")

# Counted are the rows in files, replaced ones included.
assert client.get_collection_stats("upserted")["row_count"] == 21

older = [{"id": n, "vector": [n] * 4, "round": 1} for n in range(1, 5)]
stored = {"upserted": [{"id": 0, "vector": [9] * 4}, *older, *newer]}
client.close()
