"""A schema from field schemas, as some applications build it from their configuration."""

import sys

from pymilvus import CollectionSchema, DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("field_schema")

fields = [
    MilvusClient.create_field_schema("pk", DataType.VARCHAR, max_length=32, is_primary=True),
    MilvusClient.create_field_schema("v", DataType.FLOAT_VECTOR, dim=2),
]
client.create_collection("field_schema", schema=CollectionSchema(fields))
rows = [{"pk": "a", "v": [1.0, 2.0]}, {"pk": "b", "v": [3.0, 4.0]}]
assert client.insert("field_schema", rows)["ids"] == ["a", "b"]
client.flush("field_schema")

stored = {"field_schema": rows}
client.close()
