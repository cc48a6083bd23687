"""The quick set-up: a collection from nothing but a name and a dimension."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("quick_setup")
client.create_collection("quick_setup", dimension=8)

assert client.has_collection("quick_setup")
assert "quick_setup" in client.list_collections()
described = client.describe_collection("quick_setup")
assert [field["name"] for field in described["fields"]] == ["id", "vector"]
assert described["enable_dynamic_field"]

rows = [{"id": n, "vector": [n / 2] * 8, "color": "red"} for n in range(10)]
result = client.insert("quick_setup", rows)
assert result["insert_count"] == 10
assert list(result["ids"]) == list(range(10))

client.flush("quick_setup")
assert client.get_collection_stats("quick_setup")["row_count"] == 10

stored = {"quick_setup": rows}
client.close()
