"""Reads sparse vectors out of our pages.

A page is decoded whole: where its lists begin comes from a bit for each pair. What a caller asks
for is put together from the pages that it touches.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.binlog.columns import SPARSE_VECTOR
from headrace.binlog.parquet import levels
from headrace.binlog.parquet.page_cursor import ChunkPlace, PageCursor, ReadInto
from headrace.binlog.parquet.page_heads import Encoding, PageKind
from headrace.binlog.parquet.sparse_pages import NUMBER_BYTES
from headrace.model.errors import Corrupt


class SparseReader:
    """The sparse vectors of one column of one file, once, from the first row to the last.

    `places` = those of the indices, then those of the values, each by row group. `nullable` = what
    the file's schema says of the column.
    """

    def __init__(
        self,
        read: ReadInto,
        places: Sequence[Sequence[ChunkPlace]],
        *,
        nullable: bool,
        checksums: bool = True,
    ) -> None:
        highest = 2 if nullable else 1
        self._lists = [
            _Lists(_pages(read, chunks, highest, checksums), member.type.value_type)
            for chunks, member in zip(places, SPARSE_VECTOR, strict=True)
        ]

    def next(self, rows: int) -> pa.StructArray:
        """The next `rows` vectors, with memory's type; `Corrupt` when there are not so many."""
        indices, values = (lists.next(rows) for lists in self._lists)
        if not indices.offsets.equals(values.offsets):
            raise Corrupt("vectors with more indices than values, or fewer")
        return pa.StructArray.from_arrays([indices, values], fields=list(SPARSE_VECTOR))


class _Lists:
    def __init__(
        self, pages: Iterator[tuple[levels.Lengths, npt.NDArray[Any]]], kind: pa.DataType
    ) -> None:
        self._pages = pages
        self._kind = kind
        self._lengths = np.zeros(0, np.int64)  # of lists that were read and are to be handed out
        self._numbers = np.zeros(0, kind.to_pandas_dtype())

    def next(self, rows: int) -> pa.ListArray:
        lengths, numbers = [self._lengths], [self._numbers]
        count = len(self._lengths)
        while count < rows:
            page = next(self._pages, None)
            if page is None:
                raise Corrupt(f"vectors end {rows - count} rows too early")
            count += len(page[0])
            lengths.append(page[0])
            numbers.append(page[1].view(self._numbers.dtype))
        all_lengths, all_numbers = np.concatenate(lengths), np.concatenate(numbers)
        ends = np.zeros(rows + 1, np.int64)
        np.cumsum(all_lengths[:rows], out=ends[1:])
        self._lengths, self._numbers = all_lengths[rows:], all_numbers[ends[-1] :]
        return pa.ListArray.from_arrays(
            pa.array(ends.astype(np.int32)), pa.array(all_numbers[: ends[-1]], self._kind)
        )


def _pages(
    read: ReadInto, places: Sequence[ChunkPlace], highest: int, checksums: bool
) -> Iterator[tuple[levels.Lengths, npt.NDArray[np.uint32]]]:
    for chunk in places:
        cursor = PageCursor(read, chunk, checksums=checksums)
        rows = values = 0
        while not cursor.at_end:
            head = cursor.open(PageKind.DATA)
            if head.encoding != Encoding.PLAIN or head.values > chunk.values - values:
                raise Corrupt(f"a page of {head.values} {head.encoding.name} values too many")
            data = memoryview(cursor.take(cursor.left))
            cursor.close()
            lengths, numbers = levels.lengths_of(data, head.values, highest)
            if len(numbers) != lengths.sum() * NUMBER_BYTES:
                raise Corrupt(f"a page with {len(numbers)} bytes of {lengths.sum()} numbers")
            yield lengths, np.frombuffer(numbers, np.uint32)
            rows, values = rows + len(lengths), values + head.values
        if rows != chunk.rows or values != chunk.values:
            raise Corrupt(f"{rows} vectors in the pages of {chunk.rows}")
