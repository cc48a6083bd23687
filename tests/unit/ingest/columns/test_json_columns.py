"""Values of one field, each as JSON: every type, and what is refused."""

from typing import Any

import pytest

from headrace.binlog.columns import arrow_type
from headrace.ingest.columns.json_columns import read_json_values
from headrace.ingest.faults import Unfit
from headrace.model.schema import DataType, Field


def field(kind: DataType, **more: Any) -> Field:
    values = {"max_length": 20, "max_capacity": 4, "nullable": not kind.is_vector, **more}
    return Field(id=100, name="f", type=kind, **values)


@pytest.mark.parametrize(
    ("to", "values", "wanted"),
    [
        (field(DataType.BOOL), [b"true", b"null"], [True, None]),
        (field(DataType.INT8), [b"-128", b"127"], [-128, 127]),
        (field(DataType.INT64), [b"9223372036854775807"], [9223372036854775807]),
        (field(DataType.DOUBLE), [b"1", b"1.25"], [1.0, 1.25]),
        (field(DataType.FLOAT), [b"1e3"], [1000.0]),
        (field(DataType.VARCHAR), [b'"\\u00fc"', b"null"], ["ü", None]),
        (field(DataType.JSON), [b'{"a": 1.50}', b"null", b"3"], ['{"a": 1.50}', None, "3"]),
        (field(DataType.ARRAY, element_type=DataType.INT8), [b"[1,2]", b"[]"], [[1, 2], []]),
        (field(DataType.ARRAY, element_type=DataType.FLOAT), [b"[1,2.5]"], [[1, 2.5]]),
        (field(DataType.ARRAY, element_type=DataType.VARCHAR), [b'["a"]'], [["a"]]),
        (field(DataType.FLOAT_VECTOR, dim=2), [b"[1,2.5]", b"[0,0]"], [[1, 2.5], [0, 0]]),
        (field(DataType.INT8_VECTOR, dim=2), [b"[1,-2]"], [[1, -2]]),
        (field(DataType.BINARY_VECTOR, dim=16), [b"[1,255]"], [[1, 255]]),
        (
            field(DataType.SPARSE_FLOAT_VECTOR),
            [b'{"7": 1.5, "2": 1}', b'{"indices": [1], "values": [0.5]}', b"{}"],
            [
                {"indices": [2, 7], "values": [1.0, 1.5]},
                {"indices": [1], "values": [0.5]},
                {"indices": [], "values": []},
            ],
        ),
    ],
)
def test_json_becomes_the_type_of_the_field(to: Field, values: list[bytes], wanted: Any) -> None:
    found = read_json_values(to, values)
    assert found.type == arrow_type(to)
    assert found.to_pylist() == wanted


@pytest.mark.parametrize(
    ("to", "value", "words"),
    [
        (field(DataType.INT64), b'"1"', "a text stands where a whole number belongs"),
        (field(DataType.INT64), b"1.5", "a whole number"),
        (field(DataType.INT64), b"true", "true or false stands where a whole number belongs"),
        (field(DataType.INT64), b"92233720368547758070", "a whole number"),
        (field(DataType.DOUBLE), b"1e999", ""),
        (field(DataType.VARCHAR), b"1", "a whole number stands where a text belongs"),
        (field(DataType.FLOAT_VECTOR, dim=1), b"1", "where a list belongs"),
        (field(DataType.FLOAT_VECTOR, dim=1), b"null", "null, but the field is not nullable"),
        (field(DataType.FLOAT_VECTOR, dim=1), b"[null]", "null"),
        (field(DataType.FLOAT_VECTOR, dim=1), b"[1],[2]", "more than one JSON value"),
        (field(DataType.INT8_VECTOR, dim=1), b"[1.5]", "a whole number"),
        (field(DataType.SPARSE_FLOAT_VECTOR), b'{"a": 1}', "whole numbers"),
        (field(DataType.SPARSE_FLOAT_VECTOR), b'{"1": [1]}', ""),
        (field(DataType.SPARSE_FLOAT_VECTOR), b'{"indices": [1.5], "values": [1]}', "whole"),
        (field(DataType.SPARSE_FLOAT_VECTOR), b'{"indices": 1, "values": 1}', ""),
        (field(DataType.SPARSE_FLOAT_VECTOR), b'{"indices": [1], "values": 1}', ""),
    ],
)
def test_what_is_of_another_type_is_refused(to: Field, value: bytes, words: str) -> None:
    with pytest.raises(Unfit) as refused:
        read_json_values(to, [value])
    assert words in str(refused.value)
