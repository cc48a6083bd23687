"""Floating-point numbers of 64 bits."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_double")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("value", DataType.DOUBLE)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("type_double", schema=schema)

values = [0.0, -0.1, 1e300, 5e-324]
rows = [{"id": n, "value": value, "vector": [n] * 4} for n, value in enumerate(values)]
assert client.insert("type_double", rows)["insert_count"] == len(rows)
client.flush("type_double")

stored = {"type_double": rows}
client.close()
