"""Vectors of bits, packed into bytes."""

import sys

import numpy as np
from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_binary_vector")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.BINARY_VECTOR, dim=32)
client.create_collection("type_binary_vector", schema=schema)

bits = np.random.default_rng(4).integers(0, 2, (5, 32))
vectors = [np.packbits(row).tobytes() for row in bits]
rows = [{"id": n, "vector": vector} for n, vector in enumerate(vectors)]
assert client.insert("type_binary_vector", rows)["insert_count"] == len(rows)
client.flush("type_binary_vector")

stored = {"type_binary_vector": rows}
client.close()
