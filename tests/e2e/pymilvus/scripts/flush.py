"""Flush: when it returns, the rows are in files, and they are counted."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("flushed")
client.create_collection("flushed", dimension=4)

client.flush("flushed")
assert client.get_collection_stats("flushed")["row_count"] == 0

for number in range(3):
    client.insert("flushed", [{"id": number, "vector": [number] * 4}])
    client.flush("flushed", timeout=30)
    assert client.get_collection_stats("flushed")["row_count"] == number + 1

segments = client.list_persistent_segments("flushed")
assert sum(segment.num_rows for segment in segments) == 3
assert all(str(segment.state) in ("Flushed", "4") for segment in segments)
if hasattr(client, "list_segments"):  # pymilvus 3
    assert sum(segment.num_rows for segment in client.list_segments("flushed")) == 3

stored = {"flushed": [{"id": number, "vector": [number] * 4} for number in range(3)]}
client.close()
