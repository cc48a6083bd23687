"""Ask the server who it is, and which databases it has."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])

assert client.get_server_version().startswith("headrace-")
assert client.get_server_type() == "milvus"

assert client.list_databases() == ["default"]
assert client.describe_database("default")["name"] == "default"
client.use_database("default")
client.using_database("default")

assert client.list_aliases()["aliases"] == []

client.close()
