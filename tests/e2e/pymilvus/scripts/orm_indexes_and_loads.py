"""The older classes: indexes and loads, and the waits for them."""

import sys

from pymilvus import (
    Collection,
    CollectionSchema,
    DataType,
    FieldSchema,
    Index,
    connections,
    utility,
)

connections.connect(uri=sys.argv[1])
utility.drop_collection("orm_indexed")

fields = [
    FieldSchema("id", DataType.INT64, is_primary=True),
    FieldSchema("word", DataType.VARCHAR, max_length=20),
    FieldSchema("vector", DataType.FLOAT_VECTOR, dim=4),
]
collection = Collection("orm_indexed", CollectionSchema(fields))
collection.insert([[1], ["w"], [[0.5] * 4]])
collection.flush()

assert not collection.has_index()
how = {"index_type": "IVF_FLAT", "metric_type": "L2", "params": {"nlist": 8}}
collection.create_index("vector", how)
assert collection.has_index()
assert collection.index().params == how
assert collection.index().field_name == "vector"
assert [index.field_name for index in collection.indexes] == ["vector"]
assert utility.list_indexes("orm_indexed") == ["vector"]
assert utility.wait_for_index_building_complete("orm_indexed")
assert utility.index_building_progress("orm_indexed")["indexed_rows"] == 1

by_word = Index(collection, "word", {"index_type": "INVERTED"}, index_name="by_word")
assert by_word.index_name == "by_word"
assert by_word.collection_name == "orm_indexed"
assert by_word.to_dict()["field"] == "word"
by_word.drop()

collection.load()
utility.wait_for_loading_complete("orm_indexed")
assert utility.loading_progress("orm_indexed")["loading_progress"] == "100%"
assert utility.load_state("orm_indexed").name == "Loaded"
collection.release()
assert utility.load_state("orm_indexed").name == "NotLoad"

collection.drop_index()
assert not collection.has_index()
connections.disconnect("default")
