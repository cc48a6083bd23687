"""Integers of 16 bits."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_int16")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("value", DataType.INT16)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("type_int16", schema=schema)

values = [-(2**15), -1, 0, 1, 2**15 - 1]
rows = [{"id": n, "value": value, "vector": [n] * 4} for n, value in enumerate(values)]
assert client.insert("type_int16", rows)["insert_count"] == len(rows)
client.flush("type_int16")

stored = {"type_int16": rows}
client.close()
