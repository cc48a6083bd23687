"""Vectors of every kind come from the bytes of a request to those of a file unchanged."""

import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.world.proxy import insert_request, simple_schema

from headrace.binlog import insert_log
from headrace.binlog.body import decode_rows, encode_rows
from headrace.binlog.columns import arrow_schema
from headrace.binlog.insert_log import RowsChunk
from headrace.model.errors import Invalid
from headrace.model.schema import Schema
from headrace.proxy.collections.schema_check import check_schema
from headrace.proxy.milvus import Message, pb, schema_pb
from headrace.proxy.write.rows_check import check_rows

DIM = 16
ROWS = 3
# The member of the protocol, bytes a row, and the bits of an exponent that no finite number has.
BYTES = {
    "BinaryVector": ("binary_vector", DIM // 8, None),
    "Float16Vector": ("float16_vector", DIM * 2, 0x7C00),
    "BFloat16Vector": ("bfloat16_vector", DIM * 2, 0x7F80),
    "Int8Vector": ("int8_vector", DIM, None),
}
SPARSE = st.dictionaries(
    st.integers(0, 2**32 - 2), st.floats(width=32, allow_nan=False, allow_infinity=False)
)


def schema_of(kind: str) -> Schema:
    parameters = {} if kind == "SparseFloatVector" else {"dim": DIM}
    fields = ({"name": "x", "data_type": kind, "parameters": parameters},)
    return check_schema(simple_schema(dim=2, fields=fields), fields_max=64)


def request_of(kind: str, value: Any, dim: int = DIM) -> Message:
    request = insert_request("c", list(range(ROWS)), dim=2)
    item = request.fields_data.add(field_name="x", type=schema_pb.DataType.Value(kind))
    item.vectors.dim = dim
    if kind == "SparseFloatVector":
        item.vectors.sparse_float_vector.contents.extend(value)
        item.vectors.sparse_float_vector.dim = 7
    else:
        setattr(item.vectors, BYTES[kind][0], value)
    return pb.InsertRequest.FromString(request.SerializeToString())


def through_all(kind: str, value: Any) -> tuple[pa.Array, pa.Array]:
    """The column in the log's body, and the one that is read from the file."""
    schema = schema_of(kind)
    rows = check_rows(schema, request_of(kind, value), upsert=False)
    batch = pa.RecordBatch.from_arrays(list(rows.columns), schema=arrow_schema(schema))
    decoded = decode_rows(encode_rows(batch))
    decoded.validate(full=True)
    encoded = insert_log.encode(schema, [RowsChunk(decoded, 0, 1)])
    table = insert_log.read(b"".join(encoded.parts))
    return decoded.column("x"), table["x"].combine_chunks()


def refused(kind: str, value: Any, dim: int = DIM) -> str:
    with pytest.raises(Invalid) as caught:
        check_rows(schema_of(kind), request_of(kind, value, dim), upsert=False)
    return str(caught.value)


def finite(raw: bytes, exponent: int | None) -> bytes:
    if exponent is None:
        return raw
    bits = np.frombuffer(raw, np.uint16).copy()
    bits[(bits & exponent) == exponent] ^= exponent
    return bits.tobytes()


@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", BYTES)
def test_vectors_of_bytes_keep_every_byte(kind: str, data: st.DataObject) -> None:
    _, row_bytes, exponent = BYTES[kind]
    size = ROWS * row_bytes
    raw = finite(data.draw(st.binary(min_size=size, max_size=size)), exponent)
    for column in through_all(kind, raw):
        assert column.flatten().to_numpy().tobytes() == raw


def packed(row: dict[int, float]) -> bytes:
    return b"".join(struct.pack("<If", i, row[i]) for i in sorted(row))


@settings(max_examples=60, deadline=None)
@given(st.lists(SPARSE, min_size=ROWS, max_size=ROWS))
def test_sparse_vectors_keep_every_pair(rows: list[dict[int, float]]) -> None:
    sent = [packed(row) for row in rows]
    for column in through_all("SparseFloatVector", sent):
        assert [
            b"".join(map(struct.Struct("<If").pack, row["indices"], row["values"]))
            for row in column.to_pylist()
        ] == sent


@pytest.mark.parametrize("kind", ["Float16Vector", "BFloat16Vector"])
def test_a_half_that_is_not_finite_is_refused_by_row(kind: str) -> None:
    exponent = BYTES[kind][2]
    for bad in (exponent, exponent | 0x8000, exponent | 1):
        bits = np.zeros(ROWS * DIM, np.uint16)
        bits[DIM + 3] = bad
        assert "field 'x', row 1" in refused(kind, bits.tobytes())


@pytest.mark.parametrize("kind", BYTES)
def test_bytes_of_another_dim_or_length_are_refused(kind: str) -> None:
    raw = bytes(ROWS * BYTES[kind][1])
    assert "vectors of dim 16, not 8" in refused(kind, raw, dim=8)
    assert "3 vectors of dim 16 have 48" in refused(kind, raw + b"\0")
    assert "numbers, but 3 vectors of dim 16 have 48" in refused(kind, raw[:-1])
    assert "a value in 0 of 3 rows only" in refused(kind, b"")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"1234567", "7 bytes are no pairs"),
        (struct.pack("<If", 2**32 - 1, 1.0), "index 4294967295"),
        (struct.pack("<IfIf", 5, 1.0, 5, 1.0), "must rise"),
        (struct.pack("<IfIf", 5, 1.0, 4, 1.0), "must rise"),
        (struct.pack("<If", 5, float("nan")), "NaN"),
        (struct.pack("<IfIf", 4, 1.0, 5, float("-inf")), "too large for FLOAT"),
    ],
)
def test_a_wrong_sparse_vector_is_refused_by_row(row: bytes, words: str) -> None:
    good = struct.pack("<IfIf", 1, 2.0, 9, -1.0)
    for place in range(ROWS):
        rows = [good] * ROWS
        rows[place] = row
        text = refused("SparseFloatVector", rows)
        assert words in text
        assert f"row {place}" in text


def test_sparse_vectors_may_be_empty_and_each_begins_anew() -> None:
    high, low = struct.pack("<If", 9, 1.0), struct.pack("<If", 0, 1.0)
    for rows in ([high, b"", low], [b"", high, low], [high, low, b""], [b""] * 3):
        column, _ = through_all("SparseFloatVector", rows)
        assert [len(row["indices"]) for row in column.to_pylist()] == [len(r) // 8 for r in rows]


def test_a_vector_of_another_kind_is_refused() -> None:
    request = request_of("Int8Vector", bytes(ROWS * DIM))
    with pytest.raises(Invalid, match="must be BINARY_VECTOR, not INT8_VECTOR"):
        check_rows(schema_of("BinaryVector"), request, upsert=False)
    request.fields_data[2].ClearField("type")
    with pytest.raises(Invalid, match="must be BINARY_VECTOR, not int8_vector"):
        check_rows(schema_of("BinaryVector"), request, upsert=False)
