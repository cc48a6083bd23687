"""Columns of bodies and files."""

import numpy as np
import pyarrow as pa
import pytest
from support.values.rows import SMALL, key_field, schema_of, vectors_array

from headrace.binlog.columns import (
    arrow_schema,
    arrow_type,
    file_schema,
    in_file,
    in_memory,
    key_type,
    stored_kind,
)
from headrace.model.errors import Corrupt, Invalid
from headrace.model.schema import DataType, Field


def test_columns_are_in_the_order_of_the_fields_and_files_end_with_our_own():
    assert arrow_schema(SMALL).names == ["id", "embedding", "text", "$meta"]
    assert file_schema(SMALL).names[4:] == ["_row_id", "_timestamp"]


def test_only_nullable_fields_and_the_dynamic_column_may_hold_nulls():
    nullable = {f.name: f.nullable for f in file_schema(SMALL)}
    assert [n for n, may in nullable.items() if may] == ["text", "$meta"]


@pytest.mark.parametrize(
    ("kind", "expected"), [(DataType.INT64, pa.int64()), (DataType.VARCHAR, pa.string())]
)
def test_a_key_is_an_int64_or_a_string(kind, expected):
    assert key_type(schema_of(key_field(kind))) == expected


def test_a_type_that_is_not_served_is_refused_with_field_and_type():
    field = Field(id=100, name="where", type=DataType.STRING)
    with pytest.raises(Invalid, match="'where' has type STRING") as caught:
        arrow_type(field)
    assert caught.value.field == "where"


@pytest.mark.parametrize("masked", [False, True])
def test_a_column_changes_its_type_for_files_and_back_over_the_same_buffers(masked):
    mask = np.array([False, True, False, False]) if masked else None
    whole = vectors_array(np.arange(12, dtype=np.float32).reshape(4, 3), mask)
    for column in (whole, whole.slice(1, 2), pa.chunked_array([whole.slice(2), whole])):
        stored = in_file(column, DataType.FLOAT_VECTOR)
        assert not stored.type.value_field.nullable
        back = in_memory(stored, DataType.FLOAT_VECTOR)
        assert back.equals(column)
        assert back.type == column.type
    stored = in_file(whole, DataType.FLOAT_VECTOR)
    assert stored.values.buffers()[1].address == whole.values.buffers()[1].address


def test_other_columns_are_the_same_in_files():
    column = pa.array(["a", None])
    assert in_file(column, DataType.VARCHAR) is column
    assert in_memory(column, DataType.VARCHAR) is column


def test_numbers_of_16_bits_are_floats_of_their_value_in_files():
    floats_16 = np.array([1.5, -2, np.nan, 0.25], dtype=np.float16)
    column = pa.FixedSizeListArray.from_arrays(pa.array(floats_16), 2)
    stored = in_file(column, DataType.FLOAT16_VECTOR)
    assert stored.type == pa.list_(pa.field("element", pa.float32(), nullable=False), 2)
    np.testing.assert_array_equal(stored.values.to_numpy(), floats_16.astype(np.float32))
    bits = pa.FixedSizeListArray.from_arrays(pa.array(np.array([0x3F80, 0xC020], np.uint16)), 2)
    assert in_file(bits, DataType.BFLOAT16_VECTOR).to_pylist() == [[1.0, -2.5]]


def test_a_file_says_what_the_type_of_a_column_does_not():
    kinds = [t for t in DataType if t.is_vector]
    fields = [Field(id=101 + n, name=t.name, type=t, dim=8) for n, t in enumerate(kinds)]
    made = file_schema(schema_of(key_field(), *fields))
    said = {t: stored_kind(made.field(t.name)) for t in kinds}
    assert said == {t: t for t in kinds} | {DataType.FLOAT_VECTOR: DataType.NONE}
    assert stored_kind(made.field("id")) == DataType.NONE


def test_a_type_that_a_later_version_wrote_is_corrupt_by_name():
    field = pa.field("x", pa.int8(), metadata={b"headrace.type": b"QUATERNION"})
    with pytest.raises(Corrupt, match="'x' has type QUATERNION"):
        stored_kind(field)
