"""A partition key: rows of one tenant stand in one partition, and nobody names partitions."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("tenants")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("tenant", DataType.VARCHAR, max_length=20, is_partition_key=True)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("tenants", schema=schema, num_partitions=8)
assert len(client.list_partitions("tenants")) == 8

rows = [{"id": n, "tenant": f"tenant-{n % 5}", "vector": [n] * 4} for n in range(50)]
assert client.insert("tenants", rows)["insert_count"] == 50
newer = [{"id": n, "tenant": f"tenant-{n % 5}", "vector": [-n] * 4} for n in range(10)]
assert client.upsert("tenants", newer)["upsert_count"] == 10
assert client.delete("tenants", ids=[49])["delete_count"] == 1
client.flush("tenants")

stored = {"tenants": [*newer, *rows[10:49]]}
client.close()
