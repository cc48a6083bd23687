"""Sparse vectors as pages of Parquet: their indices and their values, as two lists.

The numbers are views of the arrays' own buffers. Only the levels are made: a bit for each pair,
which says where a vector begins; and where some are empty, one more.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from headrace.binlog.parquet import levels, page_heads
from headrace.binlog.parquet.page_heads import Chunk, Encoding, PageKind, Physical
from headrace.model.entry import Body

PAGE_BYTES = 1 << 20
PAGE_ROWS = 1 << 17  # of vectors so small that their levels are most of a page
NUMBER_BYTES = 4
MEMBERS = (("indices", Physical.INT32), ("values", Physical.FLOAT))


def can_be_made(column: pa.ChunkedArray) -> bool:
    """Whether every row has a vector, and no part of one is null."""
    return column.null_count == 0 and all(
        lists.null_count == 0 and lists.values.null_count == 0
        for chunk in column.chunks
        for lists in (chunk.field(n) for n in range(len(MEMBERS)))
    )


def make(column: pa.ChunkedArray, *, nullable: bool) -> list[Chunk]:
    """The column chunks of indices and values of a column of memory's structs that `can_be_made`,
    and not empty.

    `nullable` is what the file's schema says of the column, not of what is in it.
    """
    assert can_be_made(column), "rows without a vector are for PyArrow's writer"
    highest = 2 if nullable else 1
    return [
        _chunk([c.field(n) for c in column.chunks], physical, highest)
        for n, (_, physical) in enumerate(MEMBERS)
    ]


def _chunk(arrays: Sequence[pa.ListArray], physical: Physical, highest: int) -> Chunk:
    parts: list[Body] = []
    count = view_bytes = 0
    for lengths, views in _pages(arrays):
        inside: list[Body] = [levels.of_lists(lengths, highest), *views]
        values = int(np.maximum(lengths, 1).sum())
        parts += page_heads.page(PageKind.DATA, values, Encoding.PLAIN, inside)
        count += values
        view_bytes += sum(map(len, views))
    return Chunk(
        parts=tuple(parts),
        size_bytes=sum(map(len, parts)),
        values=count,
        physical=physical,
        view_bytes=view_bytes,
    )


def _pages(arrays: Sequence[pa.ListArray]) -> Iterator[tuple[levels.Lengths, list[memoryview]]]:
    found, views = list[levels.Lengths](), list[memoryview]()
    rows = size_bytes = 0
    for array in arrays:
        ends = array.offsets.to_numpy().astype(np.int64)
        data = memoryview(array.values.buffers()[1] or b"").cast("B").toreadonly()
        before = array.values.offset
        first = 0
        while first < len(array):
            room = (PAGE_BYTES - size_bytes) // NUMBER_BYTES
            last = int(np.searchsorted(ends, ends[first] + room, side="right")) - 1
            last = min(last, first + PAGE_ROWS - rows)
            if last <= first and rows:
                yield np.concatenate(found), views
                found, views = [], []
                rows = size_bytes = 0
                continue
            last = max(last, first + 1)
            start, end = int(ends[first]) + before, int(ends[last]) + before
            found.append(np.diff(ends[first : last + 1]))
            views.append(data[start * NUMBER_BYTES : end * NUMBER_BYTES])
            rows += last - first
            size_bytes += (end - start) * NUMBER_BYTES
            first = last
    if rows:
        yield np.concatenate(found), views
