"""Collections: made, found, renamed, dropped."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
for name in ("draft", "final"):
    client.drop_collection(name)

client.create_collection("draft", dimension=4)
client.insert("draft", [{"id": 1, "vector": [1, 2, 3, 4]}])
client.rename_collection("draft", "final")
assert client.has_collection("final")
assert not client.has_collection("draft")
assert "final" in client.list_collections()
assert "draft" not in client.list_collections()

client.insert("final", [{"id": 2, "vector": [5, 6, 7, 8]}])
client.flush("final")
assert client.describe_collection("final")["collection_name"] == "final"
assert client.get_collection_stats("final")["row_count"] == 2
assert client.list_aliases("final")["aliases"] == []

client.create_collection("draft", dimension=8)
client.drop_collection("draft")
client.drop_collection("draft")
assert not client.has_collection("draft")

stored = {
    "final": [{"id": 1, "vector": [1, 2, 3, 4]}, {"id": 2, "vector": [5, 6, 7, 8]}],
}
client.close()
