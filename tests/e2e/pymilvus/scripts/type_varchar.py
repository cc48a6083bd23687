"""Texts: the length is counted in bytes of UTF-8."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("type_varchar")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("value", DataType.VARCHAR, max_length=20)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
client.create_collection("type_varchar", schema=schema)

values = ["", "plain", "höher", "日本語", 'it\'s "quoted"', "🙂🙂🙂🙂🙂"]
rows = [{"id": n, "value": value, "vector": [n] * 4} for n, value in enumerate(values)]
assert client.insert("type_varchar", rows)["insert_count"] == len(rows)
client.flush("type_varchar")

stored = {"type_varchar": rows}
client.close()
