"""Vectors of 16-bit floats, as numpy arrays."""

import sys

import numpy as np
from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_float16_vector")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.FLOAT16_VECTOR, dim=8)
client.create_collection("type_float16_vector", schema=schema)

vectors = list(np.random.default_rng(2).random((5, 8)).astype(np.float16))
rows = [{"id": n, "vector": vector} for n, vector in enumerate(vectors)]
assert client.insert("type_float16_vector", rows)["insert_count"] == len(rows)
client.flush("type_float16_vector")

stored = {"type_float16_vector": rows}
client.close()
