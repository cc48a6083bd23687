"""One opened insert log: its columns as they are stored, whichever tool wrote it.

Vectors in our pages are read right to where they are wanted, at an eighth of what PyArrow takes.
PyArrow reads the other columns, and all of them where other tools have written the file anew: other
encodings, compression, page sizes, types that hold the same (lists of any length, large strings).
Checksums of pages are checked by both; the footer, which has none, is compared with the schema that
wrote the file.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from headrace.binlog.columns import file_schema
from headrace.binlog.parquet.page_cursor import ChunkPlace, ReadInto, places_of
from headrace.binlog.parquet.sparse_pages import MEMBERS
from headrace.binlog.parquet.sparse_reader import SparseReader
from headrace.binlog.parquet.spliced_file import was_spliced
from headrace.binlog.parquet.vector_reader import VectorReader
from headrace.model.errors import Corrupt
from headrace.model.schema import DataType, Schema
from headrace.model.segment import FileRef
from headrace.reader.manifests import gone

BATCH_BYTES = 16 << 20  # of the wanted columns, as a file's metadata estimates them
BATCH_ROWS_MAX = 1 << 16
AHEAD_BYTES = 16 << 20  # of a request, where each costs a round trip

PageReader: TypeAlias = VectorReader | SparseReader


class StoredFile:
    """The columns of a file, by the names that they have in it. `Corrupt` when it is broken."""

    def __init__(self, key: str, source: pa.NativeFile, written: Schema) -> None:
        self._key = key
        self._source = source
        self._written = written
        self._file = pq.ParquetFile(source, page_checksum_verification=True)
        self._kinds = file_schema(written)
        self._ours = was_spliced(self._file.metadata.created_by)
        found = self._file.schema_arrow
        if self._ours and not found.equals(self._kinds):
            raise Corrupt(f"its columns are {found.names}, and of other types than its schema's")
        for name in self._kinds.names:
            if name not in found.names:
                raise Corrupt(f"it has no column {name!r}")

    @property
    def rows(self) -> int:
        """How many there are, visible or not."""
        return int(self._file.metadata.num_rows)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Whole columns, with the types of files; by PyArrow, so better no vectors."""
        with _told(self._key):
            found = self._file.read(columns=list(columns))
            return pa.table({name: self._typed(found[name], name) for name in columns})

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Columns in batches of some megabytes; vectors of our pages have memory's types."""
        with _told(self._key):
            own = {n: r for n in columns if (r := self._own(n)) is not None}
            others = [n for n in columns if n not in own]
            rows_most = self._batch_rows(columns)
            for first in range(0, 0 if others else self.rows, rows_most):
                rows = min(rows_most, self.rows - first)
                found = [own[n].next(rows) for n in columns]
                yield pa.RecordBatch.from_arrays(found, names=list(columns))
            if others:
                for batch in self._file.iter_batches(batch_size=rows_most, columns=others):
                    rows = batch.num_rows
                    found = [
                        own[n].next(rows) if n in own else self._typed(batch[n], n) for n in columns
                    ]
                    yield pa.RecordBatch.from_arrays(found, names=list(columns))

    def fill(self, column: str, out: memoryview) -> bool:
        """Fill `out` with all vectors of a column; False, and nothing done, if its pages are not
        ours."""
        with _told(self._key):
            reader = self._own(column)
            if not isinstance(reader, VectorReader):
                return False
            reader.fill(out)
            return True

    def _own(self, column: str) -> PageReader | None:
        field = self._written.field(column)
        if not self._ours or field is None or not field.type.is_vector:
            return None
        nullable = self._file.schema_arrow.field(column).nullable
        if field.type == DataType.SPARSE_FLOAT_VECTOR:
            places = [self._places(f"{column}.{m}.list.element") for m, _ in MEMBERS]
            read = self._read_into([p for chunks in places for p in chunks])
            return SparseReader(read, places, nullable=nullable)
        found = self._places(f"{column}.list.element")
        return VectorReader(self._read_into(found), field, found, nullable=nullable)

    def _typed(self, column: pa.Array, name: str) -> pa.Array:
        kind = self._kinds.field(name).type
        return column if column.type == kind else column.cast(kind)

    def _places(self, path: str) -> list[ChunkPlace]:
        return places_of(self._file.metadata, path, self._source.size())

    def _read_into(self, places: Sequence[ChunkPlace]) -> ReadInto:
        if isinstance(self._source, pa.PythonFile):
            return _ReadAhead(self._source, places).read_into

        def read_into(place: int, out: memoryview) -> int:
            self._source.seek(place)
            return int(self._source.readinto(out))

        return read_into

    def _batch_rows(self, columns: Sequence[str]) -> int:
        meta = self._file.metadata
        size = 0
        for number in range(meta.num_row_groups):
            group = meta.row_group(number)
            for index in range(group.num_columns):
                chunk = group.column(index)
                if chunk.path_in_schema.split(".")[0] in columns:
                    size += chunk.total_uncompressed_size
        rows: int = BATCH_BYTES * meta.num_rows // max(1, size)
        return max(1, min(BATCH_ROWS_MAX, rows))


class _ReadAhead:
    """Reads of a file in which each costs a round trip: some megabytes at once, but never beyond
    the column chunk that is read."""

    def __init__(self, source: pa.NativeFile, places: Sequence[ChunkPlace]) -> None:
        self._source = source
        self._ends = sorted(p.start + p.size_bytes for p in places)
        self._start = 0
        self._data = memoryview(b"")

    def read_into(self, place: int, out: memoryview) -> int:
        done = 0
        while done < len(out):
            at = place + done - self._start
            if not 0 <= at < len(self._data):
                self._fetch(place + done, len(out) - done)
                at = 0
            part = self._data[at : at + len(out) - done]
            if not part:
                break
            out[done : done + len(part)] = part
            done += len(part)
        return done

    def _fetch(self, place: int, least: int) -> None:
        end = next((e for e in self._ends if e > place), place + least)
        self._source.seek(place)
        buffer = self._source.read_buffer(max(least, min(AHEAD_BYTES, end - place)))
        self._start, self._data = place, memoryview(buffer).cast("B")


@contextlib.contextmanager
def opened(files: pafs.FileSystem, ref: FileRef, written: Schema) -> Iterator[StoredFile]:
    """A file while it is read; `written` = the schema that encoded it. `Corrupt` when it is broken
    or another than meta says, `Conflict` when it is gone."""
    try:
        source = files.open_input_file(ref.key)
    except FileNotFoundError as error:
        raise gone(ref.key) from error
    with source:
        with _told(ref.key):
            file = StoredFile(ref.key, source, written)
            if file.rows != ref.rows:
                raise Corrupt(f"it has {file.rows} rows, and had {ref.rows} when it was stored")
        yield file


@contextlib.contextmanager
def _told(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise gone(key) from error
    except (pa.ArrowException, OSError, Corrupt) as error:
        raise Corrupt(f"{key} cannot be read: {error}", channel=key) from error
