"""Vectors of bfloat16, as their bytes: the upper half of a 32-bit float."""

import sys

import numpy as np
from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_bfloat16_vector")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.BFLOAT16_VECTOR, dim=8)
client.create_collection("type_bfloat16_vector", schema=schema)

floats = np.random.default_rng(3).random((5, 8), dtype=np.float32)
vectors = [(row.view(np.uint32) >> 16).astype(np.uint16).tobytes() for row in floats]
rows = [{"id": n, "vector": vector} for n, vector in enumerate(vectors)]
assert client.insert("type_bfloat16_vector", rows)["insert_count"] == len(rows)
client.flush("type_bfloat16_vector")

stored = {"type_bfloat16_vector": rows}
client.close()
