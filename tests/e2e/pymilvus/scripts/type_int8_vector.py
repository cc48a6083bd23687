"""Vectors of 8-bit integers, as numpy arrays."""

import sys

import numpy as np
from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_int8_vector")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.INT8_VECTOR, dim=8)
client.create_collection("type_int8_vector", schema=schema)

vectors = list(np.arange(-20, 20, dtype=np.int8).reshape(5, 8))
rows = [{"id": n, "vector": vector} for n, vector in enumerate(vectors)]
assert client.insert("type_int8_vector", rows)["insert_count"] == len(rows)
client.flush("type_int8_vector")

stored = {"type_int8_vector": rows}
client.close()
