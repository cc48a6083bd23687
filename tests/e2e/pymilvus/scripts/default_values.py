"""Defaults: a field that is left out, or None, gets its default."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("defaults")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("small", DataType.INT8, default_value=8)
schema.add_field("number", DataType.INT64, default_value=64)
schema.add_field("price", DataType.DOUBLE, default_value=9.99)
schema.add_field("flag", DataType.BOOL, default_value=True)
schema.add_field("status", DataType.VARCHAR, max_length=20, default_value="new")
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
client.create_collection("defaults", schema=schema)
fields = {field["name"]: field for field in client.describe_collection("defaults")["fields"]}
assert fields["status"]["default_value"].string_data == "new"

given = {"id": 1, "small": 1, "number": 2, "price": 3.5, "flag": False, "status": "old"}
client.insert("defaults", [{**given, "vector": [1, 2]}])
client.insert("defaults", [{"id": 2, "vector": [3, 4]}])
client.insert("defaults", [{"id": 3, "status": None, "vector": [5, 6]}])
client.flush("defaults")

usual = {"small": 8, "number": 64, "price": 9.99, "flag": True, "status": "new"}
stored = {
    "defaults": [
        {**given, "vector": [1, 2]},
        {"id": 2, **usual, "vector": [3, 4]},
        {"id": 3, **usual, "vector": [5, 6]},
    ]
}
client.close()
