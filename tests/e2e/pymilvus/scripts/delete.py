"""Delete by key, in each form that there is."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("deleted")
client.create_collection("deleted", dimension=4)

rows = [{"id": n, "vector": [n] * 4} for n in range(20)]
client.insert("deleted", rows)

assert client.delete("deleted", ids=[0, 1])["delete_count"] == 2
assert client.delete("deleted", ids=2)["delete_count"] == 1
assert client.delete("deleted", filter="id == 3")["delete_count"] == 1
assert client.delete("deleted", filter="id in [4, 5]")["delete_count"] == 2
deleted = client.delete("deleted", filter="id in {keys}", filter_params={"keys": [6, 7]})
assert deleted["delete_count"] == 2
client.flush("deleted")

stored = {"deleted": rows[8:]}
client.close()
