"""Arrays of every scalar type."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_array")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("flags", DataType.ARRAY, element_type=DataType.BOOL, max_capacity=8)
schema.add_field("bytes", DataType.ARRAY, element_type=DataType.INT8, max_capacity=8)
schema.add_field("shorts", DataType.ARRAY, element_type=DataType.INT16, max_capacity=8)
schema.add_field("ints", DataType.ARRAY, element_type=DataType.INT32, max_capacity=8)
schema.add_field("longs", DataType.ARRAY, element_type=DataType.INT64, max_capacity=8)
schema.add_field("floats", DataType.ARRAY, element_type=DataType.FLOAT, max_capacity=8)
schema.add_field("doubles", DataType.ARRAY, element_type=DataType.DOUBLE, max_capacity=8)
schema.add_field(
    "tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=8, max_length=20
)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
client.create_collection("type_array", schema=schema)

rows = [
    {
        "id": 1,
        "flags": [True, False],
        "bytes": [-128, 127],
        "shorts": [-(2**15), 2**15 - 1],
        "ints": [-(2**31), 2**31 - 1],
        "longs": [-(2**63), 2**63 - 1],
        "floats": [0.5, -1.25],
        "doubles": [0.1, 1e300],
        "tags": ["red", "grün", ""],
        "vector": [0, 1],
    },
    {
        "id": 2,
        "flags": [],
        "bytes": [1] * 8,
        "shorts": [2],
        "ints": [],
        "longs": [3, 4, 5],
        "floats": [],
        "doubles": [1.0],
        "tags": [],
        "vector": [1, 0],
    },
]
assert client.insert("type_array", rows)["insert_count"] == 2
client.flush("type_array")

stored = {"type_array": rows}
client.close()
