"""Vectors of 32-bit floats, as lists and as numpy arrays."""

import sys

import numpy as np
from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_float_vector")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)
client.create_collection("type_float_vector", schema=schema)

vectors = [[0.1] * 8, [n / 3 for n in range(8)], np.linspace(-1, 1, 8, dtype=np.float32)]
rows = [{"id": n, "vector": vector} for n, vector in enumerate(vectors)]
assert client.insert("type_float_vector", rows)["insert_count"] == len(rows)
client.flush("type_float_vector")

stored = {"type_float_vector": rows}
client.close()
