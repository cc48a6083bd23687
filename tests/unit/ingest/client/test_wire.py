"""Columns as bytes: read back by the front door's own checks they are the same columns."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes.ingesting import finite_rows
from support.values.every_type import every_type

from headrace.ingest.client.wire import insert_request, varints
from headrace.model.schema import DataType, Field, Schema
from headrace.proxy.milvus import pb, schema_pb
from headrace.proxy.write.rows_check import check_rows

SCHEMA = every_type()


@pytest.mark.parametrize("count", [1, 2, 300])
def test_every_type_comes_back_from_the_bytes(count: int) -> None:
    rows = finite_rows(SCHEMA, count)
    request = pb.InsertRequest.FromString(insert_request("docs", SCHEMA.fields, rows.columns))
    assert request.collection_name == "docs"
    checked = check_rows(SCHEMA, request, upsert=False)
    for field, found, wanted in zip(SCHEMA.fields, checked.columns, rows.columns, strict=True):
        assert found is not None
        assert found.to_pylist() == wanted.to_pylist(), field.name


def test_slices_of_columns_are_encoded_as_what_they_show() -> None:
    rows = finite_rows(SCHEMA, 20)
    whole = insert_request("docs", SCHEMA.fields, rows.take(pa.array(range(3, 9))).columns)
    assert insert_request("docs", SCHEMA.fields, rows.slice(3, 6).columns) == whole


def test_the_bytes_are_those_of_the_generated_code() -> None:
    fields = (
        Field(id=100, name="id", type=DataType.INT64, primary=True),
        Field(id=101, name="text", type=DataType.VARCHAR, max_length=99),
        Field(id=102, name="v", type=DataType.FLOAT_VECTOR, dim=2),
    )
    columns = [
        pa.array([1, -2, 300]),
        pa.array(["a", "", "ü" * 100]),
        pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6, dtype=np.float32)), 2),
    ]
    made = pb.InsertRequest(collection_name="c", partition_name="p", num_rows=3)
    made.fields_data.add(field_name="id", type=5).scalars.long_data.data.extend([1, -2, 300])
    text = made.fields_data.add(field_name="text", type=21)
    text.scalars.string_data.data.extend(["a", "", "ü" * 100])
    vector = made.fields_data.add(field_name="v", type=101)
    vector.vectors.dim = 2
    vector.vectors.float_vector.data.extend(range(6))
    encoded = insert_request("c", fields, columns, partition="p")
    assert encoded == made.SerializeToString(deterministic=True)


def test_dynamic_rows_are_marked_as_such() -> None:
    field = Field(id=100, name="$meta", type=DataType.JSON, dynamic=True)
    request = pb.InsertRequest.FromString(insert_request("c", (field,), [pa.array(['{"a":1}'])]))
    (data,) = request.fields_data
    assert data.is_dynamic
    assert list(data.scalars.json_data.data) == [b'{"a":1}']


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_varints_are_those_of_protobuf(values: list[int]) -> None:
    raw, widths = varints(np.array(values, np.int64).view(np.uint64))
    assert widths.sum() == len(raw)
    message = schema_pb.LongArray(data=values).SerializeToString()
    assert message.endswith(raw.tobytes())
    assert list(schema_pb.LongArray.FromString(message).data) == values


def test_a_request_without_nulls_says_nothing_of_them() -> None:
    schema = Schema(fields=(Field(id=100, name="n", type=DataType.INT64, nullable=True),))
    full = pb.InsertRequest.FromString(insert_request("c", schema.fields, [pa.array([1, 2])]))
    assert not full.fields_data[0].valid_data
    some = pb.InsertRequest.FromString(insert_request("c", schema.fields, [pa.array([1, None])]))
    assert list(some.fields_data[0].valid_data) == [True, False]
    assert list(some.fields_data[0].scalars.long_data.data) == [1]
