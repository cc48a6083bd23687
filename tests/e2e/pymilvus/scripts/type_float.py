"""Floating-point numbers of 32 bits."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_float")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("value", DataType.FLOAT)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("type_float", schema=schema)

values = [0.0, -1.5, 3.4028234663852886e38, 1e-45, 0.1]
rows = [{"id": n, "value": value, "vector": [n] * 4} for n, value in enumerate(values)]
assert client.insert("type_float", rows)["insert_count"] == len(rows)
client.flush("type_float")

stored = {"type_float": rows}
client.close()
