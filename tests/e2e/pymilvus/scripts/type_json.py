"""JSON: whatever JSON can say."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_json")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("value", DataType.JSON)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("type_json", schema=schema)

values = [
    {"a": 1, "b": [1, 2.5, None, True], "c": {"d": "ü"}},
    {},
    [1, 2, 3],
    17,
    '{"text": "is taken as JSON"}',
]
rows = [{"id": n, "value": value, "vector": [n] * 4} for n, value in enumerate(values)]
assert client.insert("type_json", rows)["insert_count"] == len(rows)
client.flush("type_json")

stored = {"type_json": [*rows[:-1], {**rows[-1], "value": {"text": "is taken as JSON"}}]}
client.close()
