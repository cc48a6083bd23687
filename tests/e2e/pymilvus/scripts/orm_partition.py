"""The older classes: a `Partition` made, filled, counted, dropped."""

import sys

from pymilvus import (
    Collection,
    CollectionSchema,
    DataType,
    FieldSchema,
    Partition,
    connections,
    utility,
)

connections.connect(uri=sys.argv[1])
utility.drop_collection("orm_parts")

fields = [
    FieldSchema("id", DataType.INT64, is_primary=True),
    FieldSchema("vector", DataType.FLOAT_VECTOR, dim=2),
]
collection = Collection("orm_parts", CollectionSchema(fields))
new = collection.create_partition("new")
old = Partition(collection, "old")
assert collection.has_partition("new")
assert utility.has_partition("orm_parts", "old")
assert [partition.name for partition in collection.partitions] == ["_default", "new", "old"]
assert collection.partition("new").name == new.name == "new"
assert new.is_empty
assert new.description == ""

assert new.insert([[1, 2], [[1, 1], [2, 2]]]).insert_count == 2
assert new.insert([{"id": 3, "vector": [3, 3]}]).insert_count == 1
assert old.insert([{"id": 4, "vector": [4, 4]}]).insert_count == 1
assert new.upsert([{"id": 2, "vector": [22, 22]}]).upsert_count == 1
assert collection.insert([{"id": 5, "vector": [5, 5]}], partition_name="new").insert_count == 1
assert new.delete("id in [1, 4]").delete_count == 2  # key 4 is in another one
assert old.load() is old.release() is None
new.flush()
assert new.num_entities == 5

old.drop()
assert not collection.has_partition("old")
collection.create_partition("scrap")
collection.drop_partition("scrap")
assert not collection.has_partition("scrap")
collection.flush()

stored = {
    "orm_parts": [
        {"id": 2, "vector": [22, 22]},
        {"id": 3, "vector": [3, 3]},
        {"id": 5, "vector": [5, 5]},
    ]
}
connections.disconnect("default")
