"""Mistakes that everybody makes once, and what the server says of them."""

import sys

from pymilvus import DataType, MilvusClient, MilvusException

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("mistakes")
client.create_collection("mistakes", dimension=4)


def refused(words, method, *arguments, **named):
    try:
        method(*arguments, **named)
    except MilvusException as error:
        assert words in error.message, error.message
    else:
        raise AssertionError(f"nothing was said of {words}")


vector = [0.5] * 4
refused("'absent' does not exist", client.insert, "absent", [{"id": 1, "vector": vector}])
refused("dim 4, not 3", client.insert, "mistakes", [{"id": 1, "vector": vector[:3]}])
refused("NaN", client.insert, "mistakes", [{"id": 1, "vector": [float("nan")] * 4}])
refused("vector", client.insert, "mistakes", [{"id": 1}])
refused("id", client.insert, "mistakes", [{"id": "one", "vector": vector}])
refused("'1999'", client.insert, "mistakes", [{"id": 1, "vector": vector}], partition_name="1999")
refused("delete by key", client.delete, "mistakes", filter="id > 5")
refused(
    "partial_update", client.upsert, "mistakes", [{"id": 1, "vector": vector}], partial_update=True
)
refused("another", client.create_collection, "mistakes", dimension=8)
refused("no valid name", client.create_collection, "my collection", dimension=4)
refused("'absent' does not exist", client.flush, "absent")
refused("'other' does not exist", client.use_database, "other")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
refused("vector", client.create_collection, "no_vector", schema=schema)
schema.add_field("where", DataType.GEOMETRY)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
refused("'where'", client.create_collection, "geometry", schema=schema)

client.flush("mistakes")
assert client.get_collection_stats("mistakes")["row_count"] == 0
stored = {"mistakes": []}
client.close()
