"""Sparse vectors, as index and value."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_sparse_vector")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.SPARSE_FLOAT_VECTOR)
client.create_collection("type_sparse_vector", schema=schema)

vectors = [{1: 0.5, 100: 0.25, 4294967294: 2.0}, {7: 1.5}, {}]
rows = [{"id": n, "vector": vector} for n, vector in enumerate(vectors)]
assert client.insert("type_sparse_vector", rows)["insert_count"] == len(rows)
client.flush("type_sparse_vector")

stored = {"type_sparse_vector": rows}
client.close()
