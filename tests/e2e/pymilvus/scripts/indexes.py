"""Indexes: made, described, dropped. They are remembered, and nothing is built."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("indexed")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("name", DataType.VARCHAR, max_length=20)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("indexed", schema=schema)
client.insert("indexed", [{"id": 1, "name": "one", "vector": [1, 2, 3, 4]}])
client.flush("indexed")

index_params = client.prepare_index_params()
index_params.add_index(
    "vector", index_type="IVF_FLAT", metric_type="L2", params={"nlist": 64}, index_name="nearest"
)
index_params.add_index("name", index_type="INVERTED")
client.create_index("indexed", index_params)

assert sorted(client.list_indexes("indexed")) == ["name", "nearest"]
assert client.list_indexes("indexed", field_name="vector") == ["nearest"]
described = client.describe_index("indexed", "nearest")
assert described["field_name"] == "vector"
assert described["index_type"] == "IVF_FLAT"
assert described["metric_type"] == "L2"
assert described["state"] == "Finished"
assert described["total_rows"] == described["indexed_rows"] == 1

client.drop_index("indexed", "nearest")
assert client.list_indexes("indexed") == ["name"]
client.close()
