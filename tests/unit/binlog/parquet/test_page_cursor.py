"""A walk through the pages of a chunk."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.values.pages import reads

from headrace.binlog.parquet import page_heads
from headrace.binlog.parquet.page_cursor import ChunkPlace, PageCursor, places_of
from headrace.binlog.parquet.page_heads import Encoding, PageKind
from headrace.model.errors import Corrupt


def chunk_of(*pages: bytes, checksum: bool = True) -> bytes:
    """Pages of these bytes."""
    made = [
        page_heads.page(PageKind.DATA, len(p), Encoding.PLAIN, [p], checksum=checksum)
        for p in pages
    ]
    return b"".join(part for page in made for part in page)


def cursor_of(data: bytes, size_bytes: int | None = None, *, checksums: bool = True) -> PageCursor:
    """At the first page."""
    size_bytes = len(data) if size_bytes is None else size_bytes
    place = ChunkPlace(start=0, size_bytes=size_bytes, rows=1, values=1, indexed=False)
    return PageCursor(reads(data), place, checksums=checksums)


def test_pages_come_one_after_the_other():
    cursor = cursor_of(chunk_of(b"one", b"other page"))
    found = []
    while not cursor.at_end:
        head = cursor.open(PageKind.DATA)
        found.append((head.values, bytes(cursor.take(2)), bytes(cursor.take(cursor.left))))
        cursor.close()
    assert found == [(3, b"on", b"e"), (10, b"ot", b"her page")]


def test_a_page_is_taken_whole_and_not_more():
    cursor = cursor_of(chunk_of(b"page"))
    cursor.open(PageKind.DATA)
    with pytest.raises(Corrupt, match="5 bytes wanted of a page that has 4"):
        cursor.take(5)
    cursor.take(3)
    with pytest.raises(Corrupt, match="1 bytes too many"):
        cursor.close()


def test_another_checksum_is_corrupt_unless_nobody_asks():
    data = chunk_of(b"page").replace(b"page", b"pagf")
    for checksums in (True, False):
        cursor = cursor_of(data, checksums=checksums)
        cursor.open(PageKind.DATA)
        cursor.take(4)
        if checksums:
            with pytest.raises(Corrupt, match="checksum"):
                cursor.close()
        else:
            cursor.close()


def test_a_page_without_a_checksum_is_believed():
    cursor = cursor_of(chunk_of(b"page", checksum=False))
    cursor.open(PageKind.DATA)
    assert cursor.take(4) == b"page"
    cursor.close()


def test_pages_of_another_kind_or_beyond_the_chunk_are_corrupt():
    data = chunk_of(b"page")
    with pytest.raises(Corrupt, match="data page"):
        cursor_of(data).open(PageKind.DICTIONARY)
    with pytest.raises(Corrupt, match="at most 3"):
        cursor_of(data, len(data) - 1).open(PageKind.DATA)
    with pytest.raises(Corrupt, match="ends before"):
        cursor_of(data[:3], len(data)).open(PageKind.DATA)


def test_places_are_those_of_plain_leaves_within_the_file():
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"a": [1, 2], "b": [3, 4]}), sink, compression={"a": "none", "b": "zstd"}
    )
    metadata, size = pq.ParquetFile(sink).metadata, len(sink.getvalue())
    (place,) = places_of(metadata, "a", size)
    assert (place.start, place.rows, place.values, place.indexed) == (4, 2, 2, True)
    for path, file_bytes in (("b", size), ("c", size), ("a", 10)):
        with pytest.raises(Corrupt):
            places_of(metadata, path, file_bytes)
