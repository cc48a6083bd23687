"""Booleans."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_bool")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("value", DataType.BOOL)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("type_bool", schema=schema)

values = [True, False, True]
rows = [{"id": n, "value": value, "vector": [n] * 4} for n, value in enumerate(values)]
assert client.insert("type_bool", rows)["insert_count"] == len(rows)
client.flush("type_bool")

stored = {"type_bool": rows}
client.close()
