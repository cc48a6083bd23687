"""Rows of one insert log as a snapshot shows them.

**Owns** what becomes of a file's rows: hidden and too young ones go, columns that the file's
version lacks are filled, types are those of memory. **Does not own** which files there are
(`reader.lists`) or the deletes (`reader.deletes`).

Which rows are visible is decided first, from the key and `_timestamp` columns alone, and only where
a delete or a row that is too young can be in the file; then the wanted columns are streamed.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from headrace.binlog.columns import OWN_FIELDS, arrow_field, in_memory
from headrace.model.errors import Corrupt
from headrace.model.ids import PartitionId
from headrace.model.schema import TIMESTAMP_COLUMN, DataType, Field, Schema
from headrace.model.segment import FileRef
from headrace.model.timestamp import Timestamp
from headrace.reader.deletes import Deletes
from headrace.reader.lists import gone

BATCH_BYTES = 16 << 20  # of the wanted columns, as a file's metadata estimates them
BATCH_ROWS_MAX = 1 << 16
_OWN = {f.name: f for f in OWN_FIELDS}
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FileRows:
    """One insert log of a snapshot at a timestamp. `written` = the schema that encoded it."""

    files: pafs.FileSystem = field(repr=False)
    ref: FileRef
    partition_id: PartitionId
    written: Schema = field(repr=False)
    schema: Schema = field(repr=False)
    deletes: Deletes = field(repr=False)  # those within the file
    at: Timestamp

    def count(self) -> int:
        """Visible rows; reads no more than keys and timestamps, and those only if it must."""
        with self._opened() as file:
            mask = self._visible(file)
        return self.ref.rows if mask is None else int(mask.sum())

    def hidden(self, column: str) -> pa.Array:
        """The values of a column in the rows that are not visible."""
        with self._opened() as file:
            mask = self._visible(file)
            if mask is None:
                return pa.array([], _OWN[column].type)
            values = file.read(columns=[column])[column].combine_chunks()
        return values.filter(pa.array(~mask))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Visible rows in the order in which they were written, in batches of some megabytes."""
        stored = {name: source for name in columns if (source := self.source(name))}
        target = pa.schema([column_field(self.schema, name) for name in columns])
        with self._opened() as file:
            mask = self._visible(file)
            if mask is not None and not mask.any():
                return
            first = 0
            for batch in self._raw(file, list(stored.values())):
                shown = None if mask is None else mask[first : first + batch.num_rows]
                first += batch.num_rows
                rows = _shown(batch, shown)
                if rows.num_rows:
                    yield pa.RecordBatch.from_arrays(
                        [self._column(rows, n, stored.get(n)) for n in columns], schema=target
                    )

    def source(self, name: str) -> str | None:
        """The name under which the file has a column, None when its version lacks it."""
        if name in _OWN:
            return name
        wanted = self.schema.field(name)
        assert wanted is not None, name
        return next((f.name for f in self.written.fields if f.id == wanted.id), None)

    def _raw(self, file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The file's own columns; `_timestamp` where none of the wanted ones is in the file."""
        names = columns or [TIMESTAMP_COLUMN]
        try:
            yield from file.iter_batches(batch_size=_batch_rows(file, names), columns=names)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._trouble(error) from error

    def _visible(self, file: pq.ParquetFile) -> Mask | None:
        """Which rows are visible; None = all of them."""
        young = self.ref.last_timestamp > self.at
        if not young and not len(self.deletes):
            return None
        key = self.written.key.name
        try:
            table = file.read(columns=[key, TIMESTAMP_COLUMN])
        except (pa.ArrowInvalid, OSError) as error:
            raise self._trouble(error) from error
        timestamps = table[TIMESTAMP_COLUMN].to_numpy()
        hidden = self.deletes.hide(table[key].combine_chunks(), timestamps)
        mask: Mask = ~hidden & (timestamps <= self.at)
        return None if mask.all() else mask

    def _column(self, rows: pa.RecordBatch, name: str, source: str | None) -> pa.Array:
        wanted = self.schema.field(name)
        if source is not None:
            return in_memory(rows.column(source), DataType.NONE if wanted is None else wanted.type)
        assert wanted is not None, name
        return filled(wanted, rows.num_rows)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            source = self.files.open_input_file(self.ref.key)
        except FileNotFoundError as error:
            raise gone(self.ref.key) from error
        with source:
            try:
                file = pq.ParquetFile(source)
            except (pa.ArrowInvalid, OSError) as error:
                raise self._trouble(error) from error
            yield file

    def _trouble(self, error: Exception) -> Exception:
        if isinstance(error, FileNotFoundError):
            return gone(self.ref.key)
        return Corrupt(f"{self.ref.key} cannot be read: {error}", channel=self.ref.key)


def column_field(schema: Schema, name: str) -> pa.Field:
    """A column of a snapshot: a field of the collection or one of the own columns."""
    known = schema.field(name)
    return _OWN[name] if known is None else arrow_field(known)


def filled(wanted: Field, rows: int) -> pa.Array:
    """A column for rows that were written before it was added: its default, else nulls."""
    kind = arrow_field(wanted).type
    if wanted.has_default:
        return pa.repeat(pa.scalar(wanted.default, kind), rows)
    return pa.nulls(rows, kind)


def _shown(batch: pa.RecordBatch, mask: Mask | None) -> pa.RecordBatch:
    if mask is None or mask.all():
        return batch
    return batch.filter(pa.array(mask))


def _batch_rows(file: pq.ParquetFile, columns: Sequence[str]) -> int:
    """How many rows of these columns make a batch."""
    meta = file.metadata
    size = 0
    for group in range(meta.num_row_groups):
        for index in range(meta.num_columns):
            chunk = meta.row_group(group).column(index)
            if chunk.path_in_schema.split(".")[0] in columns:
                size += chunk.total_uncompressed_size
    rows: int = BATCH_BYTES * meta.num_rows // max(1, size)
    return max(1, min(BATCH_ROWS_MAX, rows))
