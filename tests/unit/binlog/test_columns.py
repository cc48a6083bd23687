"""Columns of bodies and files."""

import numpy as np
import pyarrow as pa
import pytest
from support.rows import SMALL, key_field, schema_of, vectors_array

from headrace.binlog.columns import (
    arrow_schema,
    arrow_type,
    file_schema,
    in_file,
    in_memory,
    key_type,
    vector_names,
)
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field


def test_columns_are_in_the_order_of_the_fields_and_files_end_with_our_own():
    assert arrow_schema(SMALL).names == ["id", "embedding", "text", "$meta"]
    assert file_schema(SMALL).names[4:] == ["_row_id", "_timestamp"]
    assert vector_names(SMALL) == ("embedding",)


def test_only_nullable_fields_and_the_dynamic_column_may_hold_nulls():
    nullable = {f.name: f.nullable for f in file_schema(SMALL)}
    assert [n for n, may in nullable.items() if may] == ["text", "$meta"]


@pytest.mark.parametrize(
    ("kind", "expected"), [(DataType.INT64, pa.int64()), (DataType.VARCHAR, pa.string())]
)
def test_a_key_is_an_int64_or_a_string(kind, expected):
    assert key_type(schema_of(key_field(kind))) == expected


def test_a_type_that_is_not_served_is_refused_with_field_and_type():
    field = Field(id=100, name="where", type=DataType.SPARSE_FLOAT_VECTOR)
    with pytest.raises(Invalid, match="'where' has type SPARSE_FLOAT_VECTOR") as caught:
        arrow_type(field)
    assert caught.value.field == "where"


@pytest.mark.parametrize("masked", [False, True])
def test_a_column_changes_its_type_for_files_and_back_over_the_same_buffers(masked):
    mask = np.array([False, True, False, False]) if masked else None
    whole = vectors_array(np.arange(12, dtype=np.float32).reshape(4, 3), mask)
    for column in (whole, whole.slice(1, 2), pa.chunked_array([whole.slice(2), whole])):
        stored = in_file(column)
        assert not stored.type.value_field.nullable
        assert in_memory(stored).equals(column)
        assert in_memory(stored).type == column.type
    assert in_file(whole).values.buffers()[1].address == whole.values.buffers()[1].address


def test_other_columns_are_the_same_in_files():
    column = pa.array(["a", None])
    assert in_file(column) is column
    assert in_memory(column) is column
