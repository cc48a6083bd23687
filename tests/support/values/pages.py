"""Columns of vectors of any bits, files of them, and what our readers and PyArrow make of those."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.binlog import insert_log
from headrace.binlog.columns import arrow_schema, arrow_type, in_memory
from headrace.binlog.insert_log import RowsChunk
from headrace.binlog.parquet.page_cursor import ReadInto, places_of
from headrace.binlog.parquet.sparse_pages import MEMBERS
from headrace.binlog.parquet.sparse_reader import SparseReader
from headrace.binlog.parquet.vector_reader import VectorReader
from headrace.model.errors import Corrupt
from headrace.model.schema import DataType, Field, Schema
from support.values.every_type import DENSE
from support.values.rows import key_field, schema_of


def vector_of(kind: DataType, width: int = 0, *, nullable: bool = False) -> Field:
    """A field `v`; `width` = numbers in memory, so of a binary vector dim / 8."""
    dim = 8 * width if kind == DataType.BINARY_VECTOR else width
    return Field(id=101, name="v", type=kind, dim=dim, nullable=nullable)


def vectors_of(field: Field, rows: int, seed: int = 0) -> pa.Array:
    """Dense vectors of any bits; sparse ones of few pairs, some of them empty."""
    chance = np.random.default_rng([seed, rows])
    kind = arrow_type(field)
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        return sparse_of(chance.integers(0, 5, rows), seed)
    raw = chance.bytes(rows * kind.list_size * DENSE[field.type].itemsize)
    numbers = np.frombuffer(raw, DENSE[field.type])
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers), kind.list_size)


def sparse_of(lengths: Sequence[int], seed: int = 0) -> pa.Array:
    """Sparse vectors of so many pairs of any bits."""
    chance = np.random.default_rng(seed)
    ends = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    members = []
    for kind in (np.uint32, np.float32):
        numbers = np.frombuffer(chance.bytes(int(ends[-1]) * 4), kind)
        members.append(pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers)))
    kinds = arrow_type(vector_of(DataType.SPARSE_FLOAT_VECTOR))
    return pa.StructArray.from_arrays(members, fields=list(kinds))


def file_of(field: Field, chunks: Sequence[pa.Array]) -> tuple[Schema, bytes]:
    """An insert log of `id` and these vectors."""
    schema = schema_of(key_field(), field)
    made, first = [], 0
    for vectors in chunks:
        ids = pa.array(np.arange(first, first + len(vectors)))
        batch = pa.RecordBatch.from_arrays([ids, vectors], schema=arrow_schema(schema))
        made.append(RowsChunk(batch, first, first + 1))
        first += len(vectors)
    return schema, b"".join(insert_log.encode(schema, made).parts)


def reads(data: bytes) -> ReadInto:
    """A file in memory."""

    def read_into(place: int, out: memoryview) -> int:
        found = data[place : place + len(out)]
        out[: len(found)] = found
        return len(found)

    return read_into


def reader_of(data: bytes, field: Field) -> VectorReader | SparseReader:
    """Ours, of the vectors of `file_of`."""
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        places = [places_of(metadata, f"v.{m}.list.element", len(data)) for m, _ in MEMBERS]
        return SparseReader(reads(data), places, nullable=field.nullable)
    places = places_of(metadata, "v.list.element", len(data))
    return VectorReader(reads(data), field, places, nullable=field.nullable)


def by_arrow(data: bytes, field: Field) -> pa.Array:
    """What PyArrow makes of the vectors of `file_of`."""
    column = pq.ParquetFile(io.BytesIO(data)).read(columns=["v"])["v"]
    return in_memory(column, field.type).combine_chunks()


def bits(vectors: pa.Array) -> object:
    """Vectors in a form in which NaNs are compared by their bits."""
    if isinstance(vectors, pa.ChunkedArray):
        return bits(vectors.combine_chunks())
    if pa.types.is_struct(vectors.type):
        lists = [vectors.field(n) for n in range(2)]
        return [(a.value_lengths().to_pylist(), a.flatten().to_numpy().tobytes()) for a in lists]
    return vectors.flatten().to_numpy().tobytes()


def assert_right_or_corrupt(read: Callable[[], pa.Array], wanted: object) -> None:
    """What was altered is noticed, or is a bit of a head that says nothing."""
    try:
        found = read()
    except Corrupt:
        return
    assert bits(found) == wanted
