"""Vectors as pages of Parquet that are made around the bytes that were received.

**Owns** the layout of a `list<float>` column chunk: pages, levels, and what a footer says of it.
**Does not own** the file around it (`binlog.spliced_file`). Source: Apache Parquet's format, "Data
Pages", "Run Length Encoding / Bit-Packing Hybrid", and `parquet.thrift`.

A page of version 1 with plain values is a header, repetition levels (of each row one 0, then a run
of ones), definition levels (one run), and the floats as they are in memory. So nothing is looked at
and nothing is copied: the parts are views of the arrays' own buffers.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from headrace.binlog import compact
from headrace.model.entry import Body

PAGE_BYTES = 1 << 20
FLOAT_BYTES = 4

# Numbers of `parquet.thrift`.
_DATA_PAGE = 0
_PHYSICAL_FLOAT = 4
_PLAIN, _RLE = 0, 3
_UNCOMPRESSED = 0


@dataclass(frozen=True, slots=True)
class VectorChunk:
    """A column chunk: parts to be written one after the other, and its size with page headers."""

    parts: tuple[Body, ...] = field(repr=False)
    size_bytes: int
    values: int

    def described(self, name: str, start: int) -> compact.Value:
        """The `ColumnChunk` of a footer, for parts that begin at byte `start` of the file."""
        meta = {
            1: compact.i32(_PHYSICAL_FLOAT),
            2: compact.listed([compact.i32(_PLAIN), compact.i32(_RLE)]),
            3: compact.listed([compact.text(part) for part in (name, "list", "element")]),
            4: compact.i32(_UNCOMPRESSED),
            5: compact.i64(self.values),
            6: compact.i64(self.size_bytes),
            7: compact.i64(self.size_bytes),
            9: compact.i64(start),
        }
        return compact.struct({2: compact.i64(0), 3: compact.struct(meta)})


def can_be_made(column: pa.ChunkedArray) -> bool:
    """Whether every row has a vector and every vector all of its floats."""
    return column.null_count == 0 and all(c.values.null_count == 0 for c in column.chunks)


def make(column: pa.ChunkedArray, *, nullable: bool) -> VectorChunk:
    """The column chunk of a column of fixed-size lists of floats that `can_be_made`.

    `nullable` is what the file's schema says of the column, not of its elements.
    """
    assert can_be_made(column), "rows without a vector are for PyArrow's writer"
    dim = column.type.list_size
    parts: list[Body] = []
    size_bytes = 0
    for rows, views in _pages(column, max(1, PAGE_BYTES // (FLOAT_BYTES * dim)), dim):
        head = _page_head(rows, dim, nullable)
        parts += [head, *views]
        size_bytes += len(head) + rows * dim * FLOAT_BYTES
    return VectorChunk(tuple(parts), size_bytes, len(column) * dim)


def _pages(
    column: pa.ChunkedArray, rows_most: int, dim: int
) -> Iterator[tuple[int, list[memoryview]]]:
    """Rows of each page and the views that its values are; only the last page is not full."""
    row_bytes = dim * FLOAT_BYTES
    rows, views = 0, list[memoryview]()
    for view in _floats(column):
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


def _floats(column: pa.ChunkedArray) -> Iterator[memoryview]:
    """The bytes of the floats of each chunk, where they are."""
    for chunk in column.chunks:
        values = chunk.flatten()
        start = values.offset * FLOAT_BYTES
        data = memoryview(values.buffers()[1]).cast("B")
        yield data[start : start + len(values) * FLOAT_BYTES].toreadonly()


def _page_head(rows: int, dim: int, nullable: bool) -> bytes:
    """The page's header and levels: all that stands before the floats."""
    values = rows * dim
    levels = _with_length(_repetition(dim) * rows) + _with_length(_definition(values, nullable))
    size = len(levels) + values * FLOAT_BYTES
    data_page = {
        1: compact.i32(values),
        2: compact.i32(_PLAIN),
        3: compact.i32(_RLE),
        4: compact.i32(_RLE),
    }
    head = {
        1: compact.i32(_DATA_PAGE),
        2: compact.i32(size),
        3: compact.i32(size),
        5: compact.struct(data_page),
    }
    return compact.struct(head).data + levels


def _repetition(dim: int) -> bytes:
    """Of one row: its first value begins it, the others go on."""
    return _run(1, 0) + (_run(dim - 1, 1) if dim > 1 else b"")


def _definition(values: int, nullable: bool) -> bytes:
    """Everything is there: one level for the list's values, one more where the row may be null."""
    return _run(values, 2 if nullable else 1)


def _run(length: int, level: int) -> bytes:
    """So many equal levels; none of ours needs more than a byte."""
    return compact.unsigned(length << 1) + bytes([level])


def _with_length(levels: bytes) -> bytes:
    return struct.pack("<I", len(levels)) + levels
