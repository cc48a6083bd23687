"""Pages made around vectors."""

import numpy as np
import pyarrow as pa
from support.values.rows import vectors_array

from headrace.binlog.parquet import vector_pages
from headrace.binlog.parquet.page_heads import Chunk
from headrace.binlog.parquet.vector_encoding import VECTOR_ENCODINGS
from headrace.model.schema import DataType

FLOATS = VECTOR_ENCODINGS[DataType.FLOAT_VECTOR]


def column_of(rows: list[int], dim: int) -> pa.ChunkedArray:
    """Chunks of so many rows."""
    chance = np.random.default_rng(1)
    return pa.chunked_array([vectors_array(chance.random((r, dim), np.float32)) for r in rows])


def floats_of(chunk: Chunk, column: pa.ChunkedArray) -> list[memoryview]:
    """The parts that are views of the column's own memory."""
    buffers = [c.values.buffers()[1] for c in column.chunks]
    spans = [(b.address, b.address + b.size) for b in buffers]
    views = []
    for part in chunk.parts:
        address = pa.py_buffer(part).address
        if any(first <= address < end for first, end in spans):
            views.append(part)
    return views


def test_floats_are_not_copied():
    column = column_of([3, 1, 400, 7], 1000)
    chunk = vector_pages.make(column, FLOATS, nullable=False)
    views = floats_of(chunk, column)
    assert sum(len(view) for view in views) == 411 * 1000 * 4
    whole = np.concatenate([c.flatten().to_numpy() for c in column.chunks])
    assert b"".join(views) == whole.tobytes()


def test_a_page_is_as_large_as_a_page_may_be_and_spans_chunks():
    column = column_of([100] * 10, 1000)
    chunk = vector_pages.make(column, FLOATS, nullable=False)
    views = floats_of(chunk, column)
    pages = len(chunk.parts) - len(views)
    assert pages == -(-1000 // 262)  # rows of 4,000 bytes in pages of 1 MiB
    assert chunk.size_bytes == sum(len(part) for part in chunk.parts)
    assert chunk.values == 1000 * 1000


def test_a_vector_larger_than_a_page_has_a_page_of_its_own():
    column = column_of([3], 300_000)
    chunk = vector_pages.make(column, FLOATS, nullable=False)
    assert [len(view) for view in floats_of(chunk, column)] == [1_200_000] * 3


def test_only_rows_that_are_shown_are_in_the_pages():
    whole = column_of([10], 4)
    shown = whole.slice(3, 5)
    parts = floats_of(vector_pages.make(shown, FLOATS, nullable=False), shown)
    assert b"".join(parts) == whole.chunk(0).flatten().to_numpy()[12:32].tobytes()


def test_rows_without_a_vector_and_vectors_with_holes_can_not_be_made():
    values = np.zeros((2, 3), np.float32)
    holes = pa.FixedSizeListArray.from_arrays(pa.array([1.0, None, 2.0], pa.float32()), 3)
    assert vector_pages.can_be_made(pa.chunked_array([vectors_array(values)]))
    assert not vector_pages.can_be_made(
        pa.chunked_array([vectors_array(values, np.array([True, False]))])
    )
    assert not vector_pages.can_be_made(pa.chunked_array([holes]))
