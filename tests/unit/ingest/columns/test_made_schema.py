"""Schemas of new collections: every Arrow type, the key, vectors that do not say so."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headrace.ingest.columns.made_schema import fields_of, made_schema
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Schema

LISTS = [[1.0, 2.0], [3.0, 4.0]]


def made(columns: dict[str, Any], key: str | None = "id", vectors: tuple[str, ...] = ()) -> Schema:
    sample = pa.RecordBatch.from_pydict({"id": [1, 2], **columns})
    return made_schema("rows", fields_of("rows", sample, vectors), key, False)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([1, 2], pa.uint8()), DataType.INT16),
        (pa.array([1, 2], pa.int8()), DataType.INT8),
        (pa.array([1, 2], pa.uint64()), DataType.INT64),
        (pa.array([1, 2], pa.float16()), DataType.FLOAT),
        (pa.array([1.5, 2]), DataType.DOUBLE),
        (pa.array([True, False]), DataType.BOOL),
        (pa.array(["a", "b"], pa.large_string()), DataType.VARCHAR),
        (pa.array(["a", "b"]).dictionary_encode(), DataType.VARCHAR),
        (pa.array([0, 1], pa.timestamp("us")), DataType.VARCHAR),
        (pa.array([{"a": 1}, {"a": 2}]), DataType.JSON),
        (pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), DataType.JSON),
        (pa.array([[{"a": 1}], []]), DataType.JSON),
        (pa.array([[1], [2, 3]]), DataType.ARRAY),
        (pa.array([[1, 2], [3, 4]]), DataType.ARRAY),
        (pa.array([[1.0], [2.0, 3.0]]), DataType.ARRAY),
        (pa.array(LISTS, pa.list_(pa.float64())), DataType.FLOAT_VECTOR),
        (pa.array(LISTS, pa.list_(pa.float32(), 2)), DataType.FLOAT_VECTOR),
        (pa.array([[1, 2]] * 2, pa.list_(pa.int64(), 2)), DataType.FLOAT_VECTOR),
        (pa.array(LISTS, pa.list_(pa.float16(), 2)), DataType.FLOAT16_VECTOR),
        (pa.array([[1, 2]] * 2, pa.list_(pa.uint16(), 2)), DataType.BFLOAT16_VECTOR),
        (pa.array([[1, 2]] * 2, pa.list_(pa.int8(), 2)), DataType.INT8_VECTOR),
        (pa.array([[1, 2]] * 2, pa.list_(pa.uint8(), 2)), DataType.BINARY_VECTOR),
        (
            pa.array([[(1, 0.5)], []], pa.map_(pa.int64(), pa.float32())),
            DataType.SPARSE_FLOAT_VECTOR,
        ),
        (pa.array([{"indices": [1], "values": [0.5]}] * 2), DataType.SPARSE_FLOAT_VECTOR),
    ],
)
def test_every_type_becomes_a_field(column: pa.Array, kind: DataType) -> None:
    schema = made({"c": column, "v": pa.array(LISTS, pa.list_(pa.float32(), 2))})
    found = schema.field("c")
    assert found is not None
    assert found.type == kind
    assert found.nullable is not kind.is_vector
    if kind.is_vector and kind != DataType.SPARSE_FLOAT_VECTOR:
        assert found.dim == (16 if kind == DataType.BINARY_VECTOR else 2)
    if kind == DataType.VARCHAR:
        assert found.max_length == 65_535


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ([1, 2], DataType.INT64),
        (["a", "b"], DataType.VARCHAR),
        (pa.array([1, 2], pa.int8()), DataType.INT64),
    ],
)
def test_the_key_is_a_whole_number_or_a_text(key: Any, kind: DataType) -> None:
    schema = made({"k": key, "v": np.zeros(2).tolist(), "w": LISTS}, key="k")
    assert (schema.key.name, schema.key.type, schema.key.nullable) == ("k", kind, False)


def test_a_column_of_lists_is_a_vector_where_it_is_said_so() -> None:
    schema = made({"v": [[1, 2], [3]]}, vectors=("v",))
    assert schema.fields[1].type == DataType.FLOAT_VECTOR


@pytest.mark.parametrize(
    ("columns", "more", "words"),
    [
        ({"v": LISTS}, {"key": None}, "--create needs --key COLUMN.*rows has id, v"),
        ({"v": LISTS}, {"key": "x"}, "--key x: rows has no such column; it has id, v"),
        ({"v": LISTS}, {"key": "v"}, "a key is a whole number or a text"),
        ({"v": ["a", "b"]}, {}, "no column that is surely a vector"),
        ({"v": LISTS}, {"vectors": ("x",)}, "--vector x: rows has no such column"),
        ({"v": ["a", "b"]}, {"vectors": ("v",)}, "--vector v: rows has no lists of numbers"),
        ({"v": LISTS, "b": [b"x", b"y"]}, {}, "column 'b' has type binary, which becomes no field"),
    ],
)
def test_what_makes_no_collection_is_said(
    columns: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        made(columns, **more)
