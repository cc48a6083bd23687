"""The older classes: a `Collection` made, filled by columns and by rows, counted, dropped."""

import sys

from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, connections, utility

connections.connect(uri=sys.argv[1])
utility.drop_collection("orm_books")

fields = [
    FieldSchema("id", DataType.INT64, is_primary=True),
    FieldSchema("title", DataType.VARCHAR, max_length=100),
    FieldSchema("vector", DataType.FLOAT_VECTOR, dim=4),
]
books = Collection("orm_books", CollectionSchema(fields, description="books"), num_shards=2)
assert books.name == "orm_books"
assert books.description == "books"
assert books.schema.fields[1].name == "title"
assert books.primary_field.name == "id"
assert books.num_shards == 2
assert books.is_empty
assert books.aliases == []
books.set_properties({"mmap.enabled": True})
assert books.describe()["properties"] == {"mmap.enabled": "True"}

titles = ["one", "two", "three"]
inserted = books.insert([[1, 2, 3], titles, [[n] * 4 for n in (1, 2, 3)]])
assert inserted.insert_count == 3
assert list(inserted.primary_keys) == [1, 2, 3]
assert books.insert([{"id": 4, "title": "four", "vector": [4] * 4}]).insert_count == 1
assert books.upsert([[2], ["second"], [[22] * 4]]).upsert_count == 1
assert books.upsert([{"id": 3, "title": "third", "vector": [33] * 4}]).upsert_count == 1
assert books.delete("id in [1]").delete_count == 1
assert books.delete("id == 100").delete_count == 1
books.flush()
assert books.num_entities == 6  # replaced and deleted rows included
assert not books.is_empty

# Another client opens it by its name.
again = Collection("orm_books")
assert again.num_entities == 6
assert [field.name for field in again.schema.fields] == ["id", "title", "vector"]

Collection("orm_scrap", CollectionSchema(fields)).drop()
assert not utility.has_collection("orm_scrap")

stored = {
    "orm_books": [
        {"id": 2, "title": "second", "vector": [22] * 4},
        {"id": 3, "title": "third", "vector": [33] * 4},
        {"id": 4, "title": "four", "vector": [4] * 4},
    ]
}
connections.disconnect("default")
