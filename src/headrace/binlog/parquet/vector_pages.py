"""Dense vectors as pages of Parquet that are made around the bytes that were received.

A page of version 1 is a head, levels (which say where each vector begins: `levels`), and the
values: floats as they are in memory, or one run of packed indices, whose bytes are the numbers in
memory. So nothing is copied: the parts are views of the arrays' own buffers. Only a checksum reads
them, if it is wanted.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from headrace.binlog.parquet import levels, page_heads, thrift
from headrace.binlog.parquet.page_heads import Chunk, Encoding, PageKind
from headrace.binlog.parquet.vector_encoding import VectorEncoding
from headrace.model.entry import Body

PAGE_BYTES = 1 << 20
FLOAT_BYTES = 4
INDICES_AT_ONCE = 8  # a run of packed indices has a multiple of them; Spark insists


def can_be_made(column: pa.ChunkedArray) -> bool:
    """Whether every row has a vector and every vector all of its numbers."""
    return column.null_count == 0 and all(c.values.null_count == 0 for c in column.chunks)


def make(column: pa.ChunkedArray, stored: VectorEncoding, *, nullable: bool) -> Chunk:
    """The column chunk of a column of memory's fixed-size lists that `can_be_made`, and not empty.

    `nullable` is what the file's schema says of the column, not of its elements.
    """
    assert can_be_made(column), "rows without a vector are for PyArrow's writer"
    dim = column.type.list_size
    indexed = stored.indexes(len(column) * dim)
    parts, inside = list[Body](), list[Body]()
    if indexed:
        values = len(stored.dictionary) // FLOAT_BYTES
        inside = [b"", stored.dictionary]
        parts += page_heads.page(PageKind.DICTIONARY, values, Encoding.PLAIN, inside)
    dictionary_bytes = sum(map(len, parts))
    number_bytes = stored.number_bytes if indexed else FLOAT_BYTES
    rows_most = max(1, PAGE_BYTES // (number_bytes * dim))
    encoding = Encoding.RLE_DICTIONARY if indexed else Encoding.PLAIN
    for rows, views in _pages(column, rows_most, dim * stored.number_bytes):
        numbers = rows * dim
        inside = [levels.of_equal_lists(rows, dim, 2 if nullable else 1)]
        inside += _indices(views, numbers, number_bytes) if indexed else _plain(views, stored)
        parts += page_heads.page(PageKind.DATA, numbers, encoding, inside)
    viewed = indexed or not stored.indexed
    return Chunk(
        parts=tuple(parts),
        size_bytes=sum(map(len, parts)),
        values=len(column) * dim,
        physical=stored.physical,
        dictionary_bytes=dictionary_bytes,
        view_bytes=len(column) * dim * stored.number_bytes if viewed else 0,
    )


def index_head(numbers: int, number_bytes: int) -> bytes:
    """What stands before a page's indices: their width, and that one run of packed ones follows."""
    groups = -(-numbers // INDICES_AT_ONCE)
    return bytes([8 * number_bytes]) + thrift.unsigned(groups << 1 | 1)


def index_tail(numbers: int, number_bytes: int) -> bytes:
    """What fills the run up behind them."""
    return bytes(-numbers % INDICES_AT_ONCE * number_bytes)


def _indices(views: Sequence[Body], numbers: int, number_bytes: int) -> list[Body]:
    tail = index_tail(numbers, number_bytes)
    return [index_head(numbers, number_bytes), *views, *([tail] if tail else [])]


def _plain(views: Sequence[Body], stored: VectorEncoding) -> Sequence[Body]:
    if not stored.indexed:
        return views
    return [stored.widened(np.frombuffer(view, np.uint16)).tobytes() for view in views]


def _pages(
    column: pa.ChunkedArray, rows_most: int, row_bytes: int
) -> Iterator[tuple[int, list[memoryview]]]:
    """Rows of each page and the views that its numbers are; only the last page is not full."""
    rows, views = 0, list[memoryview]()
    for view in _numbers(column):
        place = 0
        while place < len(view):
            taken = min((rows_most - rows) * row_bytes, len(view) - place)
            views.append(view[place : place + taken])
            rows += taken // row_bytes
            place += taken
            if rows == rows_most:
                yield rows, views
                rows, views = 0, []
    if rows:
        yield rows, views


def _numbers(column: pa.ChunkedArray) -> Iterator[memoryview]:
    for chunk in column.chunks:
        values = chunk.flatten()
        number_bytes = values.type.bit_width // 8
        start = values.offset * number_bytes
        data = memoryview(values.buffers()[1] or b"").cast("B")
        yield data[start : start + len(values) * number_bytes].toreadonly()
