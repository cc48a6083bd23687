"""A walk through the pages of one column chunk that accounts for every byte.

A file may be cut or altered anywhere, and what a cursor hands out was asked for by length: so each
length is compared with what is left of page and chunk before it is believed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from headrace.binlog.parquet import page_heads
from headrace.binlog.parquet.page_heads import PageHead, PageKind
from headrace.model.errors import Corrupt

# Reads bytes from a place of the file into memory; how many there were, less only at the end.
ReadInto: TypeAlias = Callable[[int, memoryview], int]
HEAD_BYTES = 64  # a page's head has up to 30


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a column chunk stands in its file, and what the footer says of it. `values` counts
    empty lists too."""

    start: int
    size_bytes: int
    rows: int
    values: int
    indexed: bool


def places_of(metadata: Any, path: str, file_bytes: int) -> list[ChunkPlace]:
    """The chunks of a primitive column, one for each row group, from PyArrow's metadata of a file.
    `Corrupt` when there is none, or it is compressed, or not within the file."""
    found = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = (group.column(n) for n in range(group.num_columns))
        chunk = next((c for c in chunks if c.path_in_schema == path), None)
        if chunk is None or chunk.compression != "UNCOMPRESSED":
            raise Corrupt(f"the file has no pages of {path} as they are made")
        indexed = chunk.has_dictionary_page
        start = chunk.dictionary_page_offset if indexed else chunk.data_page_offset
        size_bytes = chunk.total_compressed_size
        if start < 0 or size_bytes < 0 or start + size_bytes > file_bytes:
            raise Corrupt(f"{path} is said to stand at {start} in {file_bytes} bytes")
        found.append(ChunkPlace(start, size_bytes, group.num_rows, chunk.num_values, indexed))
    return found


class PageCursor:
    """The pages of a chunk, once, from first to last: `open`, all bytes by `take`, `close`."""

    def __init__(self, read: ReadInto, chunk: ChunkPlace, *, checksums: bool = True) -> None:
        self._read = read
        self._checksums = checksums
        self._place = chunk.start
        self._end = chunk.start + chunk.size_bytes
        self._page_end = chunk.start
        self._crc: int | None = None
        self._wanted: int | None = None

    @property
    def at_end(self) -> bool:
        return self._place >= self._end

    @property
    def left(self) -> int:
        return self._page_end - self._place

    def open(self, kind: PageKind) -> PageHead:
        """The head of the next page; `Corrupt` when it is of another kind or does not fit in."""
        data = bytearray(max(0, min(HEAD_BYTES, self._end - self._place)))
        self._fill(memoryview(data))
        head, length = page_heads.parsed(bytes(data))
        self._place += length
        self._page_end = self._place + head.size_bytes
        if head.kind != kind or self._page_end > self._end:
            raise Corrupt(
                f"a {head.kind.name.lower()} page of {head.size_bytes} bytes, where a "
                f"{kind.name.lower()} page of at most {self._end - self._place} may be"
            )
        self._wanted = head.crc if self._checksums else None
        self._crc = 0
        return head

    def take(self, length: int) -> bytearray:
        """The next bytes of the open page."""
        data = bytearray(self._checked(length))
        self.take_into(memoryview(data))
        return data

    def take_into(self, out: memoryview) -> None:
        """Fill `out` with the next bytes of the open page."""
        self._checked(len(out))
        self._fill(out)
        self._place += len(out)
        if self._wanted is not None:
            self._crc = page_heads.crc_of([out], self._crc or 0)

    def close(self) -> None:
        """`Corrupt` when there is more in the page, or its checksum is another. What was taken of
        it is not to be believed before."""
        if self.left:
            raise Corrupt(f"{self.left} bytes too many at the end of a page")
        if self._wanted is not None and self._wanted != self._crc:
            raise Corrupt(f"a page has checksum {self._crc:#x} instead of {self._wanted:#x}")

    def _checked(self, length: int) -> int:
        if not 0 <= length <= self.left:
            raise Corrupt(f"{length} bytes wanted of a page that has {self.left} left")
        return length

    def _fill(self, out: memoryview) -> None:
        if len(out) == 0 or self._read(self._place, out) != len(out):
            raise Corrupt(f"the file ends before byte {self._place + max(1, len(out))}")
