"""Properties of a collection: given at its creation, changed, taken away."""

import sys

from pymilvus import MilvusClient, MilvusException

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("with_properties")
client.create_collection("with_properties", dimension=4, properties={"mmap.enabled": True})
assert client.describe_collection("with_properties")["properties"] == {"mmap.enabled": "True"}

client.alter_collection_properties(
    "with_properties", properties={"mmap.enabled": False, "lazyload.enabled": True}
)
properties = client.describe_collection("with_properties")["properties"]
assert properties == {"lazyload.enabled": "True", "mmap.enabled": "False"}

client.drop_collection_properties("with_properties", property_keys=["mmap.enabled"])
properties = client.describe_collection("with_properties")["properties"]
assert properties == {"lazyload.enabled": "True"}

# What would have to change rows is not promised.
try:
    client.alter_collection_properties("with_properties", {"collection.ttl.seconds": 60})
except MilvusException as error:
    assert "collection.ttl.seconds" in error.message
    assert "served are" in error.message
else:
    raise AssertionError("a time to live is not served")
client.close()
