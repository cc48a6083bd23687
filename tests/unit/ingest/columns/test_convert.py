"""Columns of files as columns of fields, and the rows that do not fit."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headrace.binlog.columns import arrow_type
from headrace.ingest.columns.convert import (
    convert,
    plain,
    plain_type,
    read_column,
    takes,
)
from headrace.model.schema import DataType, Field


def field(kind: DataType, **values: Any) -> Field:
    """A field `f` of a type."""
    return Field(id=100, name="f", type=kind, **values)


FITTING = [
    (field(DataType.INT8), pa.array([1, -128], pa.int64()), [1, -128]),
    (field(DataType.INT64), pa.array([1, 2], pa.uint64()), [1, 2]),
    (field(DataType.FLOAT), pa.array([0.1, 2.0]), [float(np.float32(0.1)), 2.0]),
    (field(DataType.DOUBLE), pa.array([1, 2]), [1.0, 2.0]),
    (field(DataType.BOOL), pa.array([True, False]), [True, False]),
    (field(DataType.VARCHAR, max_length=9), pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
    (field(DataType.JSON), pa.array(['{"a": 1}', "[]"]), ['{"a": 1}', "[]"]),
    (field(DataType.JSON), pa.array([{"a": 1}, {"a": None}]), ['{"a":1}', '{"a":null}']),
    (field(DataType.JSON, nullable=True), pa.array([[1], None]), ["[1]", None]),
    (
        field(DataType.JSON),
        pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
        ['{"a":1}', "{}"],
    ),
    (
        field(DataType.ARRAY, element_type=DataType.INT16, max_capacity=3, nullable=True),
        pa.array([[1, 2], None, []], pa.list_(pa.int64())),
        [[1, 2], None, []],
    ),
    (
        field(DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=3, max_length=5),
        pa.array([["a"], ["b", "c"]], pa.large_list(pa.string())),
        [["a"], ["b", "c"]],
    ),
    (field(DataType.INT64, nullable=True), pa.array([1, None], pa.int32()), [1, None]),
    (field(DataType.INT64, nullable=True), pa.nulls(2), [None, None]),
    (field(DataType.JSON, dynamic=True), pa.array(['{"a":1}', None]), ['{"a":1}', "{}"]),
]


@pytest.mark.parametrize(("to", "column", "wanted"), FITTING)
def test_what_fits_becomes_the_type_of_the_field(to: Field, column: pa.Array, wanted: Any) -> None:
    found, faults = convert(to, column, read_column)
    assert not faults
    assert found.type == arrow_type(to)
    assert found.to_pylist() == wanted
    assert takes(to, column.type)


UNFIT = [
    (field(DataType.INT8), pa.array([1, 128]), "128"),
    (field(DataType.INT64, primary=True), pa.array([1, None]), "the primary key is missing"),
    (field(DataType.INT64), pa.array([1, None]), "null, but the field is not nullable"),
    (field(DataType.FLOAT), pa.array([1.0, float("nan")]), "NaN and infinity"),
    (field(DataType.FLOAT), pa.array([1.0, 1e39]), "above what a FLOAT can hold"),
    (field(DataType.DOUBLE), pa.array([1.0, float("inf")]), "NaN and infinity"),
    (
        field(DataType.VARCHAR, max_length=3),
        pa.array(["abc", "üü"]),
        "4 bytes are above its max_length of 3",
    ),
    (field(DataType.JSON), pa.array(["1", "{"]), "not JSON: "),
    (field(DataType.JSON, dynamic=True), pa.array(["{}", "1"]), "not JSON: "),
    (
        field(DataType.ARRAY, element_type=DataType.INT64, max_capacity=1),
        pa.array([[1], [1, 2]]),
        "2 elements are above its max_capacity of 1",
    ),
    (
        field(DataType.ARRAY, element_type=DataType.INT64, max_capacity=9),
        pa.array([[1], [1, None]]),
        "an array with a null in it",
    ),
    (field(DataType.FLOAT_VECTOR, dim=1), pa.array([[1.0], [1.0, 2.0]]), "a vector of dim 2"),
]


@pytest.mark.parametrize(("to", "column", "words"), UNFIT)
def test_a_row_that_does_not_fit_is_found_alone(to: Field, column: pa.Array, words: str) -> None:
    found, faults = convert(to, column, read_column)
    assert list(faults) == [1]
    assert faults[1].column == "f"
    assert words in faults[1].reason
    assert len(found) == 2
    assert found[0].as_py() is not None


def test_every_unfit_row_of_many_is_found() -> None:
    numbers = pa.array([n if n % 7 else 1000 for n in range(100)], pa.int16())
    found, faults = convert(field(DataType.INT8), numbers, read_column)
    assert sorted(faults) == list(range(0, 100, 7))
    assert found.drop_null().to_pylist() == [n for n in range(100) if n % 7]


def test_text_that_is_not_utf8_is_found() -> None:
    raw = pa.array([b"a", b"\xff"]).view(pa.string())
    _, faults = convert(field(DataType.VARCHAR, max_length=9), raw, read_column)
    assert faults[1].reason == "the text is not UTF-8"


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        (field(DataType.INT64), pa.string()),
        (field(DataType.INT64), pa.float64()),
        (field(DataType.INT64), pa.timestamp("us")),
        (field(DataType.VARCHAR), pa.int64()),
        (field(DataType.BOOL), pa.int64()),
        (field(DataType.FLOAT_VECTOR, dim=2), pa.list_(pa.string())),
        (field(DataType.FLOAT_VECTOR, dim=2), pa.int64()),
        (field(DataType.ARRAY, element_type=DataType.INT64), pa.list_(pa.string())),
        (field(DataType.JSON), pa.binary()),
        (field(DataType.SPARSE_FLOAT_VECTOR), pa.list_(pa.float32())),
    ],
)
def test_types_that_never_fit_are_refused_as_such(to: Field, kind: pa.DataType) -> None:
    assert not takes(to, kind)


def test_how_values_are_kept_does_not_matter() -> None:
    column = pa.array(["a", "b", "a"]).dictionary_encode()
    assert plain(column).to_pylist() == ["a", "b", "a"]
    assert plain_type(column.type) == pa.string()
    assert plain_type(pa.string_view()) == pa.string()
