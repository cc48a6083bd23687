"""The older functions: what there is, by what name, and flush of everything."""

import datetime
import sys

from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, connections, db, utility

connections.connect(uri=sys.argv[1])
for name in ("orm_before", "orm_after"):
    utility.drop_collection(name)

fields = [
    FieldSchema("id", DataType.VARCHAR, max_length=20, is_primary=True),
    FieldSchema("vector", DataType.FLOAT_VECTOR, dim=2),
]
collection = Collection("orm_before", CollectionSchema(fields))
assert utility.has_collection("orm_before")
assert "orm_before" in utility.list_collections()
inserted = collection.insert([["a", "b"], [[1, 2], [3, 4]]])

# The timestamp of a write is a moment that may be compared with others.
written = utility.hybridts_to_datetime(inserted.timestamp)
assert abs(datetime.datetime.now() - written) < datetime.timedelta(hours=25)
seconds = utility.hybridts_to_unixtime(inserted.timestamp)
assert utility.mkts_from_unixtime(seconds) <= inserted.timestamp
assert utility.mkts_from_datetime(written) <= inserted.timestamp
assert utility.mkts_from_hybridts(inserted.timestamp, milliseconds=1) > inserted.timestamp

utility.flush_all()
assert collection.num_entities == 2

utility.rename_collection("orm_before", "orm_after")
assert not utility.has_collection("orm_before")
assert utility.list_aliases("orm_after") == []

assert db.list_database() == ["default"]
assert db.describe_database("default")["name"] == "default"
db.using_database("default")
assert utility.get_server_type() == "milvus"
assert utility.get_server_version().startswith("headrace-")

stored = {"orm_after": [{"id": "a", "vector": [1, 2]}, {"id": "b", "vector": [3, 4]}]}
connections.disconnect("default")
