"""Insert rows whose keys the server makes."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("auto_id")

schema = MilvusClient.create_schema(auto_id=True)
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("text", DataType.VARCHAR, max_length=100)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("auto_id", schema=schema, num_shards=2)

rows = [{"text": f"line {n}", "vector": [n, n, n, n]} for n in range(20)]
result = client.insert("auto_id", rows)
assert result["insert_count"] == 20
assert len(set(result["ids"])) == 20
client.flush("auto_id")

stored = {"auto_id": [{"id": key, **row} for key, row in zip(result["ids"], rows, strict=True)]}
client.close()
