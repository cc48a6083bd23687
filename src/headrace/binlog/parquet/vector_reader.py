"""Reads dense vectors out of our pages, each number once, straight to where it is wanted.

The levels of our pages follow from the number of rows, so they are compared and not decoded. The
rest of a page are the numbers as they are in memory: they are read right into the array that is
handed out. Where only a part of a page is wanted, the rest is kept for the next call. A page that
is not exactly as we make it is `Corrupt`, and nothing of it is handed out.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from headrace.binlog.columns import arrow_type
from headrace.binlog.parquet import levels
from headrace.binlog.parquet.page_cursor import ChunkPlace, PageCursor, ReadInto
from headrace.binlog.parquet.page_heads import Encoding, PageHead, PageKind
from headrace.binlog.parquet.vector_encoding import VECTOR_ENCODINGS
from headrace.binlog.parquet.vector_pages import FLOAT_BYTES, index_head, index_tail
from headrace.model.errors import Corrupt
from headrace.model.schema import Field


class VectorReader:
    """The vectors of one column of one file, once, from the first row to the last.

    `nullable` = what the file's schema says of the column.
    """

    def __init__(
        self,
        read: ReadInto,
        field: Field,
        places: Sequence[ChunkPlace],
        *,
        nullable: bool,
        checksums: bool = True,
    ) -> None:
        self._read = read
        self._checksums = checksums
        self._stored = VECTOR_ENCODINGS[field.type]
        self._kind = arrow_type(field)
        self._dim: int = self._kind.list_size
        self._highest = 2 if nullable else 1
        self._pages = self._walk(places)
        self._rest = memoryview(b"")  # of a page of which not all was wanted
        self._before = ((0, False), b"")  # what stands before the numbers of such a page

    @property
    def row_bytes(self) -> int:
        return self._dim * self._stored.number_bytes

    def next(self, rows: int) -> pa.FixedSizeListArray:
        """The next `rows` vectors, with memory's type; `Corrupt` when there are not so many."""
        buffer = pa.allocate_buffer(rows * self.row_bytes)
        self.fill(memoryview(buffer).cast("B"))
        numbers = rows * self._dim
        values = pa.Array.from_buffers(self._kind.value_type, numbers, [None, buffer])
        return pa.FixedSizeListArray.from_arrays(values, type=self._kind)

    def fill(self, out: memoryview) -> None:
        """Fill `out`, the bytes of some vectors, with the next ones; `Corrupt` as `next`."""
        done = min(len(self._rest), len(out))
        out[:done] = self._rest[:done]
        self._rest = self._rest[done:]
        while done < len(out):
            page = next(self._pages, None)
            if page is None:
                raise Corrupt(f"vectors end {len(out) - done} bytes too early")
            rows, cursor, head = page
            end = done + rows * self.row_bytes
            if end <= len(out):
                self._read_page(cursor, head, rows, out[done:end])
            else:
                whole = memoryview(bytearray(end - done))
                self._read_page(cursor, head, rows, whole)
                out[done:], self._rest = whole[: len(out) - done], whole[len(out) - done :]
            done = end

    def _walk(self, places: Sequence[ChunkPlace]) -> Iterator[tuple[int, PageCursor, PageHead]]:
        """Each data page, open: its rows, where it is taken from, its head."""
        for chunk in places:
            if chunk.values != chunk.rows * self._dim:
                raise Corrupt(f"{chunk.values} numbers for {chunk.rows} vectors of {self._dim}")
            cursor = PageCursor(self._read, chunk, checksums=self._checksums)
            if chunk.indexed:
                self._check_dictionary(cursor)
            wanted = Encoding.RLE_DICTIONARY if chunk.indexed else Encoding.PLAIN
            left = chunk.rows
            while left:
                head = cursor.open(PageKind.DATA)
                rows, odd = divmod(head.values, self._dim)
                if odd or not 0 < rows <= left or head.encoding != wanted:
                    raise Corrupt(
                        f"a page of {head.values} {head.encoding.name} numbers, where {left} "
                        f"vectors of {self._dim} {wanted.name} numbers are left"
                    )
                yield rows, cursor, head
                left -= rows
            if not cursor.at_end:
                raise Corrupt("there is more behind the last page")

    def _check_dictionary(self, cursor: PageCursor) -> None:
        wanted = self._stored.dictionary if self._stored.indexed else b""
        head = cursor.open(PageKind.DICTIONARY)
        plain = head.encoding == Encoding.PLAIN and head.values == len(wanted) // FLOAT_BYTES
        if not plain or cursor.take(cursor.left) != wanted:
            raise Corrupt("a dictionary that is not the one of all numbers in their order")
        cursor.close()

    def _read_page(self, cursor: PageCursor, head: PageHead, rows: int, out: memoryview) -> None:
        indexed = head.encoding == Encoding.RLE_DICTIONARY
        before = self._stands_before(rows, indexed)
        if cursor.take(len(before)) != before:
            raise Corrupt(f"a page of {rows} vectors of {self._dim} that begins as none does")
        if indexed:
            cursor.take_into(out)
            tail = index_tail(head.values, self._stored.number_bytes)
            if tail and cursor.take(len(tail)) != tail:
                raise Corrupt("there is more behind the last index of a page")
        elif self._stored.indexed:
            out[:] = self._narrowed(cursor.take(head.values * FLOAT_BYTES))
        else:
            cursor.take_into(out)
        cursor.close()

    def _stands_before(self, rows: int, indexed: bool) -> bytes:
        """Levels and, of indices, how they are packed; all pages but the last have the same."""
        if self._before[0] != (rows, indexed):
            found = levels.of_equal_lists(rows, self._dim, self._highest)
            if indexed:
                found += index_head(rows * self._dim, self._stored.number_bytes)
            self._before = (rows, indexed), found
        return self._before[1]

    def _narrowed(self, data: bytearray) -> memoryview:
        floats = np.frombuffer(data, np.float32)
        bits = self._stored.narrowed(floats)
        if self._stored.widened(bits).tobytes() != data:
            raise Corrupt("a number that no float of 16 bits has")
        return bits.view(np.uint8).data
