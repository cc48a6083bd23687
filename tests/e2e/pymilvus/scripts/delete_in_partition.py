"""Delete in one partition: the same key in another one stays."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("deleted_in")
client.create_collection("deleted_in", dimension=4)
for name in ("left", "right"):
    client.create_partition("deleted_in", name)

client.insert("deleted_in", [{"id": n, "vector": [n] * 4} for n in range(3)], partition_name="left")
right = [{"id": n, "vector": [n] * 4} for n in range(3, 6)]
client.insert("deleted_in", right, partition_name="right")

deleted = client.delete("deleted_in", ids=[0, 1, 3, 4], partition_name="left")
assert deleted["delete_count"] == 4  # as many as were named
client.flush("deleted_in")

stored = {"deleted_in": [{"id": 2, "vector": [2] * 4}, *right]}
client.close()
