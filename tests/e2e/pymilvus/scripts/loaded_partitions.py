"""Load and release of partitions: remembered, and finished at once."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("loaded_parts")
client.create_collection("loaded_parts", dimension=4)  # the quick set-up loads it
for name in ("left", "right"):
    client.create_partition("loaded_parts", name)


def is_loaded(partition):
    state = client.get_load_state("loaded_parts", partition_name=partition)["state"]
    return state.name == "Loaded"


assert is_loaded("left")
client.release_partitions("loaded_parts", ["left"])
assert not is_loaded("left")
assert is_loaded("right")

client.release_collection("loaded_parts")
assert not is_loaded("right")
client.load_partitions("loaded_parts", ["right"])
assert is_loaded("right")
assert not is_loaded("left")
assert client.get_load_state("loaded_parts")["state"].name == "Loaded"
client.close()
