"""Any rows of any schema go through bodies, insert logs and delta logs bit by bit."""

import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.binlog import body, delta_log, insert_log, stats_log
from headrace.binlog.columns import arrow_schema, arrow_type
from headrace.binlog.delta_log import DeletesChunk
from headrace.binlog.insert_log import RowsChunk
from headrace.model.schema import DataType, Field, Schema

INTEGERS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = {
    DataType.BOOL: st.booleans(),
    DataType.FLOAT: st.floats(width=32),
    DataType.DOUBLE: st.floats(),
    DataType.VARCHAR: TEXT,
    DataType.JSON: st.sampled_from(['{"a":1}', "[]", "null", '"ä"']),
} | {t: st.integers(-(2 ** (b - 1)), 2 ** (b - 1) - 1) for t, b in INTEGERS.items()}
KEYS = st.one_of(
    st.lists(st.lists(values, max_size=4), min_size=1, max_size=4)
    for values in (st.integers(-(2**63), 2**63 - 1), TEXT)
)
VECTORS = {  # the numpy type of the numbers, and how many a dim has
    DataType.FLOAT_VECTOR: (np.dtype(np.float32), 1.0),
    DataType.FLOAT16_VECTOR: (np.dtype(np.float16), 1.0),
    DataType.BFLOAT16_VECTOR: (np.dtype(np.uint16), 1.0),
    DataType.INT8_VECTOR: (np.dtype(np.int8), 1.0),
    DataType.BINARY_VECTOR: (np.dtype(np.uint8), 1 / 8),
}
KINDS = [*VALUES, *VECTORS, DataType.SPARSE_FLOAT_VECTOR, DataType.ARRAY]
SPARSE = st.dictionaries(st.integers(0, 2**32 - 2), st.floats(width=32), max_size=4)


ELEMENTS = [kind for kind in VALUES if kind != DataType.JSON]


@st.composite
def schemas(draw) -> Schema:
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=5))
    key = draw(st.sampled_from([DataType.INT64, DataType.VARCHAR]))
    fields = [Field(id=100, name="id", type=key, primary=True)]
    for n, kind in enumerate(kinds):
        fields.append(
            Field(
                id=101 + n,
                name=f"column {n}",
                type=kind,
                dim=draw(st.integers(1, 5)) * 8 if kind in VECTORS else 0,
                element_type=draw(st.sampled_from(ELEMENTS))
                if kind == DataType.ARRAY
                else DataType.NONE,
                nullable=draw(st.booleans()),
            )
        )
    return Schema(fields=tuple(fields))


def column(draw, field: Field, rows: int) -> pa.Array:
    mask = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)), dtype=bool)
    nulls = mask if field.nullable else None
    if field.type in VECTORS:
        number, share = VECTORS[field.type]
        width = int(field.dim * share)
        size = rows * width * number.itemsize
        raw = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), number)
        return pa.FixedSizeListArray.from_arrays(
            pa.array(raw), width, mask=None if nulls is None else pa.array(nulls)
        )
    values = [draw(value_of(field)) for _ in range(rows)]
    return pa.array(
        [v if nulls is None or not n else None for v, n in zip(values, mask, strict=True)],
        arrow_type(field),
    )


def value_of(field: Field) -> st.SearchStrategy[object]:
    if field.type == DataType.ARRAY:
        return st.lists(VALUES[field.element_type], max_size=4)
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        return SPARSE.map(lambda s: {"indices": sorted(s), "values": [s[i] for i in sorted(s)]})
    return VALUES[field.type]


@st.composite
def batches(draw) -> tuple[Schema, pa.RecordBatch]:
    schema = draw(schemas())
    rows = draw(st.integers(1, 12))
    columns = [column(draw, f, rows) for f in schema.fields]
    return schema, pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))


def bits(array: pa.Array | pa.ChunkedArray) -> list[object]:
    """Values in a form in which NaNs are compared by their bits."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in bits(chunk)]
    if pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        return [None if v is None else bits(v.values) for v in values_of(array)]
    if pa.types.is_struct(array.type):
        return list(zip(*(bits(part) for part in array.flatten()), strict=True))
    if pa.types.is_floating(array.type):
        raw = array.to_numpy(zero_copy_only=False)
        return [None if v is None else raw[n].tobytes() for n, v in enumerate(values_of(array))]
    return array.to_pylist()


def values_of(array: pa.Array) -> list[pa.Scalar | None]:
    return [scalar if scalar.is_valid else None for scalar in array]


@settings(max_examples=150, deadline=None)
@given(batches(), st.data())
def test_a_body_holds_its_rows_bit_by_bit(made, data):
    _, batch = made
    start = data.draw(st.integers(0, batch.num_rows))
    part = batch.slice(start, data.draw(st.integers(0, batch.num_rows)))
    decoded = body.decode_rows(body.encode_rows(part))
    assert decoded.schema.equals(batch.schema)
    assert [bits(c) for c in decoded.columns] == [bits(c) for c in part.columns]


@settings(max_examples=150, deadline=None)
@given(batches(), st.data())
def test_an_insert_log_holds_the_rows_of_its_chunks_bit_by_bit(made, data):
    schema, batch = made
    joined_below = data.draw(st.sampled_from([0, insert_log.SMALL_CHUNK_ROWS]))
    cuts = sorted(data.draw(st.lists(st.integers(0, batch.num_rows), max_size=3)))
    edges = [0, *cuts, batch.num_rows]
    chunks = [
        RowsChunk(batch.slice(a, b - a), 1000 + a, 7 + n)
        for n, (a, b) in enumerate(itertools.pairwise(edges))
    ]
    kept, insert_log.SMALL_CHUNK_ROWS = insert_log.SMALL_CHUNK_ROWS, joined_below
    try:
        encoded = insert_log.encode(schema, chunks)
    finally:
        insert_log.SMALL_CHUNK_ROWS = kept
    table = insert_log.read(b"".join(encoded.parts))
    assert [bits(table[n]) for n in batch.schema.names] == [bits(c) for c in batch.columns]
    assert table.select(batch.schema.names).schema.types == batch.schema.types
    assert table["_row_id"].to_pylist() == [1000 + n for n in range(batch.num_rows)]
    assert encoded.keys.to_pylist() == batch.column(0).to_pylist()
    assert stats_log.decode(b"".join(stats_log.encode(schema, encoded.keys))).rows == encoded.rows


@settings(max_examples=60, deadline=None)
@given(KEYS)
def test_a_delta_log_holds_its_deletes(keys):
    kind = pa.string() if any(isinstance(k, str) for c in keys for k in c) else pa.int64()
    chunks = [DeletesChunk(pa.array(c, kind), 10 + n) for n, c in enumerate(keys)]
    table = delta_log.read(b"".join(delta_log.encode(chunks).parts))
    assert table["key"].to_pylist() == [k for c in keys for k in c]
    assert table["_timestamp"].to_pylist() == [10 + n for n, c in enumerate(keys) for _ in c]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), min_size=1))
def test_the_key_range_is_short_and_bounds_every_key(keys):
    encoded = delta_log.encode([DeletesChunk(pa.array(keys, pa.string()), 1)])
    assert len(encoded.min_key) <= 64
    assert len(encoded.max_key) <= 64
    assert all(encoded.min_key <= k for k in keys)
    assert all(k <= (encoded.max_key or max(keys)) for k in keys)
    assert encoded.max_key or not max(keys).strip(chr(0x10FFFF))
