"""The older classes: a collection from a data frame of pandas."""

import sys

import pandas as pd
from pymilvus import Collection, connections, utility

connections.connect(uri=sys.argv[1])
utility.drop_collection("orm_frame")

frame = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "word": ["a", "b", "c"],
        "score": [0.5, 1.5, 2.5],
        "vector": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
    }
)
collection, inserted = Collection.construct_from_dataframe("orm_frame", frame, primary_field="id")
assert inserted.insert_count == 3
more = pd.DataFrame({"id": [4], "word": ["d"], "score": [3.5], "vector": [[7.0, 8.0]]})
assert collection.insert(more).insert_count == 1
collection.flush()
assert collection.num_entities == 4

stored = {"orm_frame": [*frame.to_dict("records"), *more.to_dict("records")]}
connections.disconnect("default")
