"""Rows with fields that the schema does not name."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("dynamic")

schema = MilvusClient.create_schema(enable_dynamic_field=True)
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
client.create_collection("dynamic", schema=schema)

rows = [
    {"id": 1, "vector": [0, 1], "title": "über", "tags": ["a", "b"], "size": {"w": 1, "h": 2.5}},
    {"id": 2, "vector": [1, 0], "read": True, "nothing": None},
    {"id": 3, "vector": [1, 1]},
]
assert client.insert("dynamic", rows)["insert_count"] == 3
client.flush("dynamic")

stored = {"dynamic": rows}
client.close()
