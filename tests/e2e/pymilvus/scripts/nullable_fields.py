"""Fields that may be null: given as None, or left out."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("nullable")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("age", DataType.INT32, nullable=True)
schema.add_field("price", DataType.DOUBLE, nullable=True)
schema.add_field("sold", DataType.BOOL, nullable=True)
schema.add_field("name", DataType.VARCHAR, max_length=20, nullable=True)
schema.add_field("more", DataType.JSON, nullable=True)
schema.add_field(
    "tags",
    DataType.ARRAY,
    element_type=DataType.VARCHAR,
    max_capacity=4,
    max_length=9,
    nullable=True,
)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
client.create_collection("nullable", schema=schema)

full = {
    "id": 1,
    "age": 7,
    "price": 0.5,
    "sold": True,
    "name": "x",
    "more": {"a": None},
    "tags": ["t"],
    "vector": [1, 2],
}
empty = {
    "id": 2,
    "age": None,
    "price": None,
    "sold": None,
    "name": None,
    "tags": None,
    "vector": [3, 4],
}
assert client.insert("nullable", [full, empty])["insert_count"] == 2
assert client.insert("nullable", [{"id": 3, "vector": [5, 6]}])["insert_count"] == 1
client.flush("nullable")

stored = {
    "nullable": [full, {**empty, "more": None}, {**empty, "more": None, "id": 3, "vector": [5, 6]}]
}
client.close()
