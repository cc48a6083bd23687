"""The quick set-up with string keys, and with keys that the server makes."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])

client.drop_collection("string_keys")
client.create_collection("string_keys", dimension=4, id_type="string", max_length=64)
rows = [{"id": f"doc-{n}", "vector": [0.25, 0.5, 0.75, n]} for n in range(5)]
assert client.insert("string_keys", rows)["insert_count"] == 5
assert client.delete("string_keys", ids=["doc-4"])["delete_count"] == 1
client.flush("string_keys")

client.drop_collection("made_string_keys")
client.create_collection(
    "made_string_keys", dimension=4, id_type="string", max_length=64, auto_id=True
)
result = client.insert("made_string_keys", [{"vector": [1, 2, 3, 4]}, {"vector": [5, 6, 7, 8]}])
assert len(set(result["ids"])) == 2
client.flush("made_string_keys")

stored = {
    "string_keys": rows[:4],
    "made_string_keys": [
        {"id": result["ids"][0], "vector": [1, 2, 3, 4]},
        {"id": result["ids"][1], "vector": [5, 6, 7, 8]},
    ],
}
client.close()
