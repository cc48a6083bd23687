"""Rows as JSON Lines."""

import json

import numpy as np
import pyarrow as pa
import pytest
from support.values.every_type import every_type
from support.values.rows import SMALL, small_batch, vectors_array

from headrace.model.errors import Corrupt
from headrace.model.schema import DataType, Field, Schema
from headrace.reader.jsonl import lines


def rows(batch: pa.RecordBatch, schema: Schema) -> list[dict]:
    return [json.loads(line) for line in lines(batch, schema)]


def test_a_row_is_what_a_query_returns():
    batch = small_batch([1, 2, 3])
    vectors = batch.column("embedding").to_pylist()
    assert rows(batch, SMALL) == [
        {"id": 1, "embedding": vectors[0], "text": "text 1"},
        {"id": 2, "embedding": vectors[1], "text": "text 2", "n": 2},
        {"id": 3, "embedding": vectors[2], "text": None},
    ]


def test_columns_are_in_the_order_of_the_batch_and_dynamic_members_last():
    batch = pa.record_batch(
        {"$meta": pa.array(['{"z":1,"a":[1,{"b":null}]}']), "text": ["x"], "id": [7]}
    )
    (line,) = lines(batch, SMALL)
    assert line == b'{"text":"x","id":7,"z":1,"a":[1,{"b":null}]}\n'


def test_a_json_field_is_printed_as_what_it_says():
    schema = Schema(fields=(Field(id=100, name="j", type=DataType.JSON, nullable=True),))
    texts = ['{"k":[1,2.50,"ü"]}', "3", "null", '"text"', None]
    batch = pa.record_batch({"j": pa.array(texts)})
    assert [r["j"] for r in rows(batch, schema)] == [{"k": [1, 2.5, "ü"]}, 3, None, "text", None]


def test_a_varchar_that_looks_like_json_stays_a_text():
    batch = pa.record_batch({"text": ['{"a":1}']})
    assert rows(batch, SMALL) == [{"text": '{"a":1}'}]


def test_floats_of_32_bits_are_the_doubles_of_the_same_value():
    values = np.array([[0.1, -0.0, 1e-45, 3.4e38]], dtype=np.float32)
    batch = pa.record_batch({"embedding": vectors_array(values), "f": pa.array(values[0][:1])})
    (row,) = rows(batch, SMALL)
    assert row == {"embedding": values[0].tolist(), "f": float(values[0][0])}


def test_vectors_that_are_null_are_null_in_their_rows():
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    batch = pa.record_batch({"embedding": vectors_array(values, np.array([False, True, False]))})
    assert [r["embedding"] for r in rows(batch, SMALL)] == [[0.0, 1.0], None, [4.0, 5.0]]
    assert [r["embedding"] for r in rows(batch.slice(1), SMALL)] == [None, [4.0, 5.0]]


def test_integers_keep_all_their_digits():
    batch = pa.record_batch({"id": pa.array([2**63 - 1, -(2**63)])})
    assert [r["id"] for r in rows(batch, SMALL)] == [2**63 - 1, -(2**63)]


def test_a_field_wins_over_a_dynamic_member_of_its_name():
    batch = pa.record_batch({"id": [1], "$meta": ['{"id":2,"n":3}']})
    assert rows(batch, SMALL) == [{"id": 1, "n": 3}]


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_dynamic_column_without_an_object_is_corrupt(text):
    with pytest.raises(Corrupt, match="dynamic column"):
        list(lines(pa.record_batch({"$meta": [text]}), SMALL))


def test_vectors_of_every_type_are_printed_by_their_values():
    schema = every_type()
    kept = schema.fields[0], *(f for f in schema.fields if f.type.is_vector)
    floats = np.array([[1.5, -0.25]], np.float16)
    batch = pa.record_batch(
        {
            "FLOAT16_VECTOR": pa.FixedSizeListArray.from_arrays(pa.array(floats[0]), 2),
            "BFLOAT16_VECTOR": pa.array([[0x3F80, 0xC020]], pa.list_(pa.uint16(), 2)),
            "INT8_VECTOR": pa.array([[-128, 127]], pa.list_(pa.int8(), 2)),
            "BINARY_VECTOR": pa.array([[0, 255]], pa.list_(pa.uint8(), 2)),
            "SPARSE_FLOAT_VECTOR": pa.array([{"indices": [3, 90], "values": [0.5, 2]}]),
        }
    )
    assert rows(batch, Schema(fields=kept)) == [
        {
            "FLOAT16_VECTOR": [1.5, -0.25],
            "BFLOAT16_VECTOR": [1.0, -2.5],
            "INT8_VECTOR": [-128, 127],
            "BINARY_VECTOR": [0, 255],
            "SPARSE_FLOAT_VECTOR": {"3": 0.5, "90": 2.0},
        }
    ]


def test_an_array_is_a_list_with_its_nulls():
    schema = every_type()
    batch = pa.record_batch({"ARRAY_VARCHAR": [["a", "b"], [], None]})
    assert [r["ARRAY_VARCHAR"] for r in rows(batch, schema)] == [["a", "b"], [], None]


def test_json_that_was_sent_over_several_lines_is_printed_on_one():
    schema = Schema(fields=(Field(id=100, name="body", type=DataType.JSON),))
    batch = pa.record_batch({"body": ['{"a":\n "b\\n"}\r\n'], "$meta": ['{"n":\n [1]}']})
    printed = list(lines(batch, schema))
    assert len(printed) == 1
    assert printed[0].count(b"\n") == 1
    assert rows(batch, schema) == [{"body": {"a": "b\n"}, "n": [1]}]


def test_dynamic_numbers_keep_all_their_digits():
    batch = pa.record_batch({"$meta": ['{"n": 123456789012345678901234567890, "m": 1e999}']})
    assert list(lines(batch, SMALL)) == [b'{"n":123456789012345678901234567890,"m":1e999}\n']
