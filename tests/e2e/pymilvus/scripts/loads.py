"""Load and release: remembered, and finished at once."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("loaded")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("loaded", schema=schema)
assert client.get_load_state("loaded")["state"].name == "NotLoad"

index_params = client.prepare_index_params()
index_params.add_index("vector", index_type="AUTOINDEX", metric_type="COSINE")
client.create_index("loaded", index_params)
client.load_collection("loaded")
client.refresh_load("loaded")
assert client.get_load_state("loaded")["state"].name == "Loaded"

client.release_collection("loaded")
assert client.get_load_state("loaded")["state"].name == "NotLoad"
client.close()
