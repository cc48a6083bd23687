"""Insert: one row, several rows, numpy vectors, several requests."""

import sys

import numpy as np
from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("inserted")
client.create_collection("inserted", dimension=32)

one = {"id": 0, "vector": [0.1] * 32}
assert client.insert("inserted", one)["insert_count"] == 1

vectors = np.random.default_rng(1).random((500, 32), dtype=np.float32)
many = [{"id": n, "vector": vectors[n]} for n in range(1, 500)]
for first in range(0, len(many), 100):
    batch = many[first : first + 100]
    result = client.insert(collection_name="inserted", data=batch)
    assert result["insert_count"] == len(batch)

client.flush("inserted")
assert client.get_collection_stats("inserted") == {"row_count": 500}

stored = {"inserted": [one, *many]}
client.close()
