"""Sparse vectors: both layouts, sorted, and what is wrong with some."""

from typing import Any

import pyarrow as pa
import pytest

from headrace.binlog.columns import SPARSE_VECTOR
from headrace.ingest.columns.sparse import INDEX_MAX, read_sparse
from headrace.ingest.faults import Unfit

STRUCT = pa.struct([("indices", pa.list_(pa.int64())), ("values", pa.list_(pa.float64()))])
MAP = pa.map_(pa.int64(), pa.float32())


def test_structs_and_maps_are_sparse_vectors_with_rising_indices() -> None:
    wanted = [
        {"indices": [1, 7], "values": [0.5, 2.0]},
        {"indices": [], "values": []},
        {"indices": [3], "values": [1.0]},
    ]
    structs = [{"indices": [7, 1], "values": [2.0, 0.5]}, *wanted[1:]]
    maps = [[(7, 2.0), (1, 0.5)], [], [(3, 1.0)]]
    for column in (pa.array(structs, STRUCT), pa.array(maps, MAP)):
        found = read_sparse(column)
        assert found.type == SPARSE_VECTOR
        assert found.to_pylist() == wanted
        assert read_sparse(column.slice(1)).to_pylist() == wanted[1:]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"indices": [1], "values": []}, "as many values as indices"),
        ({"indices": None, "values": [1.0]}, "as many values as indices"),
        ({"indices": [1, 1], "values": [1.0, 2.0]}, "the index 1 comes twice"),
        ({"indices": [-1], "values": [1.0]}, "lie between 0 and"),
        ({"indices": [INDEX_MAX + 1], "values": [1.0]}, "lie between 0 and"),
        ({"indices": [1], "values": [float("nan")]}, "NaN and infinity"),
        ({"indices": [1], "values": [None]}, "with a null in it"),
        (None, "null, but the field is not nullable"),
    ],
)
def test_what_is_no_sparse_vector_is_said(row: Any, words: str) -> None:
    with pytest.raises(Unfit, match=words):
        read_sparse(pa.array([row], STRUCT))
