"""Repeat an insert safely: with a key of one's own it is done once, however often it is sent."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("sent_twice")
client.create_collection("sent_twice", dimension=4, auto_id=True)

row = {"vector": [1.0, 2.0, 3.0, 4.0]}
first = client.insert("sent_twice", [row], client_request_id="headrace:batch-1-of-today")
again = client.insert("sent_twice", [row], client_request_id="headrace:batch-1-of-today")
assert list(first["ids"]) == list(again["ids"])

client.flush("sent_twice")
assert client.get_collection_stats("sent_twice")["row_count"] == 1

client.drop_collection("sent_twice")  # a key is for one request: the next run begins anew
client.close()
