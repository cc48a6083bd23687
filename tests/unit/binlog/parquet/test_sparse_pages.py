"""Pages of sparse vectors."""

import numpy as np
import pyarrow as pa
from support.values.pages import sparse_of

from headrace.binlog.parquet import sparse_pages


def test_numbers_are_not_copied():
    column = pa.chunked_array([sparse_of([3, 0, 400]), sparse_of([7] * 100)])
    for n, chunk in enumerate(sparse_pages.make(column, nullable=False)):
        numbers = b"".join(c.field(n).flatten().to_numpy().tobytes() for c in column.chunks)
        assert chunk.view_bytes == len(numbers)
        buffers = [c.field(n).values.buffers()[1] for c in column.chunks]
        views = [
            part
            for part in chunk.parts
            if any(b.address <= pa.py_buffer(part).address < b.address + b.size for b in buffers)
        ]
        assert b"".join(views) == numbers
        assert chunk.size_bytes == sum(map(len, chunk.parts))


def test_a_page_is_as_large_as_a_page_may_be_and_spans_chunks():
    column = pa.chunked_array([sparse_of([100] * 700) for _ in range(10)])
    chunk, _ = sparse_pages.make(column, nullable=False)
    views = [len(p) for p in chunk.parts if isinstance(p, memoryview)]
    assert len(chunk.parts) - len(views) == -(-7000 // 2621)  # rows of 400 bytes, 1 MiB a page


def test_a_vector_larger_than_a_page_has_a_page_of_its_own():
    column = pa.chunked_array([sparse_of([2, 300_000, 300_001, 1])])
    chunk, _ = sparse_pages.make(column, nullable=False)
    views = [len(p) // 4 for p in chunk.parts if isinstance(p, memoryview)]
    assert views == [2, 300_000, 300_001, 1]


def test_vectors_without_any_pair_are_values_that_are_not_there():
    column = pa.chunked_array([sparse_of([0] * 1000)])
    chunk, _ = sparse_pages.make(column, nullable=True)
    assert (chunk.values, chunk.view_bytes) == (1000, 0)


def test_rows_without_a_vector_and_vectors_with_holes_can_not_be_made():
    kind = sparse_of([1]).type
    assert sparse_pages.can_be_made(pa.chunked_array([sparse_of([2, 0])]))
    for row in (None, {"indices": None, "values": []}, {"indices": [1], "values": [None]}):
        assert not sparse_pages.can_be_made(pa.chunked_array([pa.array([row], kind)]))


def test_only_rows_that_are_shown_are_in_the_pages():
    whole = pa.chunked_array([sparse_of([3, 0, 2, 5, 1])])
    for n, chunk in enumerate(sparse_pages.make(whole.slice(1, 3), nullable=False)):
        views = b"".join(p for p in chunk.parts if isinstance(p, memoryview))
        numbers = whole.chunk(0).field(n).flatten().to_numpy()
        assert views == np.ascontiguousarray(numbers[3:10]).tobytes()
