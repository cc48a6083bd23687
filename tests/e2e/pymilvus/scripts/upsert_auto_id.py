"""Upsert into a collection with automatic keys: the rows named go, and new ones come."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("upserted_auto")
client.create_collection("upserted_auto", dimension=4, auto_id=True)

first = client.insert("upserted_auto", [{"vector": [1] * 4}, {"vector": [2] * 4}])
second = client.upsert("upserted_auto", [{"id": first["ids"][0], "vector": [3] * 4}])
assert second["upsert_count"] == 1
client.flush("upserted_auto")

stored = {
    "upserted_auto": [
        {"id": first["ids"][1], "vector": [2] * 4},
        {"id": second["ids"][0], "vector": [3] * 4},
    ]
}
client.close()
