"""Rows of one insert log as a snapshot shows them: types of memory, absent columns filled.

Which rows are visible is decided first, from the key and `_timestamp` columns alone, and only where
a delete or a row that is too young can be in the file; then the wanted columns are streamed.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.fs as pafs

from headrace.binlog.columns import OWN_FIELDS, arrow_field, in_memory
from headrace.model.errors import Invalid
from headrace.model.ids import PartitionId
from headrace.model.schema import TIMESTAMP_COLUMN, DataType, Field, Schema
from headrace.model.segment import FileRef
from headrace.model.timestamp import Timestamp
from headrace.reader.deletes import Deletes
from headrace.reader.stored_file import StoredFile, opened

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
            values = file.read([column])[column].combine_chunks()
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
            # `_timestamp` says how many rows there are where none of the columns is in the file.
            for batch in file.batches(list(stored.values()) or [TIMESTAMP_COLUMN]):
                shown = None if mask is None else mask[first : first + batch.num_rows]
                first += batch.num_rows
                rows = _shown(batch, shown)
                if rows.num_rows:
                    yield pa.RecordBatch.from_arrays(
                        [self._column(rows, n, stored.get(n)) for n in columns], schema=target
                    )

    def fill(self, column: str, out: npt.NDArray[Any]) -> int:
        """Put the visible vectors of a column into the first rows of `out`, which has room for all
        that are stored; how many there are. `Invalid` when one is null."""
        with self._opened() as file:
            source = self.source(column)
            if source is not None and self._visible(file) is None:
                rows = out[: self.ref.rows].view(np.uint8).reshape(-1).data
                if file.fill(source, rows):
                    return self.ref.rows
        end = 0
        for batch in self.batches([column]):
            out[end : end + batch.num_rows] = matrix_of(batch.column(0), column)
            end += batch.num_rows
        return end

    def source(self, name: str) -> str | None:
        """The name under which the file has a column, None when its version lacks it."""
        if name in _OWN:
            return name
        wanted = self.schema.field(name)
        assert wanted is not None, name
        return next((f.name for f in self.written.fields if f.id == wanted.id), None)

    def _visible(self, file: StoredFile) -> Mask | None:
        young = self.ref.last_timestamp > self.at
        if not young and not len(self.deletes):
            return None
        key = self.written.key.name
        table = file.read([key, TIMESTAMP_COLUMN])
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

    def _opened(self) -> AbstractContextManager[StoredFile]:
        return opened(self.files, self.ref, self.written)


def matrix_of(column: pa.FixedSizeListArray, name: str) -> npt.NDArray[Any]:
    """Dense vectors as (rows, numbers), a view; `Invalid` when one is null."""
    if column.null_count:
        raise Invalid(f"{name!r} holds {column.null_count} nulls: read it as Arrow", field=name)
    flat = column.flatten().to_numpy(zero_copy_only=True)
    matrix: npt.NDArray[Any] = flat.reshape(len(column), column.type.list_size)
    return matrix


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
