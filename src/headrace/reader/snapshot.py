"""Snapshots: a collection at a fixed timestamp, from a fixed set of files, as Arrow.

Rows come file by file, in the order in which they were written; only a call that returns a whole
table holds more than one batch. Calls are synchronous.
"""

import datetime
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from headrace.binlog import delta_log
from headrace.binlog.columns import arrow_schema, arrow_type, file_schema, key_type
from headrace.model import timestamp as ts
from headrace.model.errors import Corrupt, Invalid, NotFound
from headrace.model.ids import CollectionId, Revision
from headrace.model.schema import RESERVED_COLUMNS, ROW_ID_COLUMN, TIMESTAMP_COLUMN, Schema
from headrace.model.timestamp import Timestamp
from headrace.objects.arrow_files import file_system
from headrace.objects.s3_access import S3Access
from headrace.reader.deletes import AllDeletes
from headrace.reader.file_rows import FileRows, column_field, filled
from headrace.reader.manifests import (
    NO_STORE,
    FoundManifest,
    find_collection,
    find_snapshot,
    gone,
    read_object,
)
from headrace.reader.suggest import suggest_store

if TYPE_CHECKING:
    import pyarrow.dataset as pads


def open(  # noqa: A001 - as in `headrace.reader.open`
    store: str | Path | pafs.FileSystem,
    collection: str | int,
    at: Timestamp | datetime.datetime | None = None,
    *,
    access: S3Access | None = None,
) -> "Snapshot":
    """The newest snapshot of a collection (name or id), or the one at a time.

    `store`: a path, a `file:///` URI, `s3://bucket/prefix` or an Arrow file system whose paths are
    keys. `at`: a timestamp of Headrace's, or a time, its whole millisecond included. `access`: how
    to reach the bucket; without it AWS's usual variables are taken. `NotFound`: no such collection,
    or nothing was stored of it yet. `Unavailable`: `at` is later than what is stored.
    """
    files = store if isinstance(store, pafs.FileSystem) else file_system(store, access)
    timestamp = at_timestamp(at)
    try:
        collection_id = find_collection(files, collection)
    except NotFound as error:
        near = "" if error.field != NO_STORE or store is files else suggest_store(store, access)
        if not near:
            raise
        text = f"{error.message} There is one at {near}"
        raise NotFound(text, field=error.field, code=error.code) from None
    found = find_snapshot(files, collection_id, timestamp)
    return Snapshot(files, found, found.manifest.timestamp if timestamp is None else timestamp)


def at_timestamp(at: Timestamp | datetime.datetime | None) -> Timestamp | None:
    """The last timestamp of a time's millisecond; a time without zone is local."""
    if isinstance(at, datetime.datetime):
        return ts.compose(int(at.timestamp() * 1000), ts.LOGICAL_MASK)
    return at


class Snapshot:
    """A collection at a timestamp. Made by `open`; stays readable for the grace."""

    def __init__(self, files: pafs.FileSystem, found: FoundManifest, timestamp: Timestamp) -> None:
        self.timestamp = timestamp
        self.found = found
        self.fields: Schema = found.manifest.schemas[found.manifest.version]
        self._files = files

    @property
    def name(self) -> str:
        return self.found.manifest.name

    @property
    def collection_id(self) -> CollectionId:
        return self.found.manifest.collection_id

    @property
    def revision(self) -> Revision:
        return self.found.manifest.revision

    @property
    def schema(self) -> pa.Schema:
        """The columns of the collection in their order, without `_row_id` and `_timestamp`."""
        return arrow_schema(self.fields)

    @cached_property
    def files(self) -> tuple[FileRows, ...]:
        """The insert logs that have rows at or below the timestamp."""
        deletes, made = self.deletes, []
        for segment in self.found.segments:
            written = self.found.manifest.schemas.get(segment.version)
            if written is None:
                raise Corrupt(f"the manifest has no schema of version {segment.version}")
            for ref in segment.files:
                if ref.first_timestamp <= self.timestamp:
                    own = deletes.of(segment.partition_id).within(ref)
                    made.append(
                        FileRows(
                            files=self._files,
                            ref=ref,
                            partition_id=segment.partition_id,
                            written=written,
                            schema=self.fields,
                            deletes=own,
                            at=self.timestamp,
                        )
                    )
        return tuple(made)

    def to_batches(
        self, columns: Sequence[str] | None = None, *, limit: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Rows in batches of some megabytes; `columns` may name `_row_id` and `_timestamp`."""
        names = self._names(columns)
        left = limit
        for file in self.files:
            for batch in file.batches(names):
                if left is not None and left <= batch.num_rows:
                    if left:
                        yield batch.slice(0, left)
                    return
                left = None if left is None else left - batch.num_rows
                yield batch

    def to_reader(
        self, columns: Sequence[str] | None = None, *, limit: int | None = None
    ) -> pa.RecordBatchReader:
        """The same as a reader, which DuckDB and Polars take."""
        batches = self.to_batches(columns, limit=limit)
        return pa.RecordBatchReader.from_batches(self._schema(self._names(columns)), batches)

    def to_table(
        self, columns: Sequence[str] | None = None, *, limit: int | None = None
    ) -> pa.Table:
        """All rows in memory."""
        batches = list(self.to_batches(columns, limit=limit))
        return pa.Table.from_batches(batches, self._schema(self._names(columns)))

    def count(self) -> int:
        return sum(file.count() for file in self.files)

    def vectors(self, name: str) -> npt.NDArray[Any]:
        """A vector column as (rows, dim), in the order of `to_batches`.

        Read right to their places where the files are ours. Numbers are float32, float16 or int8;
        the bits as uint16 of a bfloat16, which numpy lacks; the packed bytes of a binary vector, so
        dim / 8 of them. `Invalid`: no such column, or it is sparse, or holds nulls.
        """
        known = self.fields.field(name)
        kind = None if known is None or not known.type.is_vector else arrow_type(known)
        if kind is None or not pa.types.is_fixed_size_list(kind):
            raise Invalid(f"{name!r} is no column of dense vectors", field=name)
        rows = sum(f.ref.rows for f in self.files)
        whole = np.empty((rows, kind.list_size), kind.value_type.to_pandas_dtype())
        end = 0
        for file in self.files:
            end += file.fill(name, whole[end:])
        return whole[:end]

    def dataset(self) -> "pads.Dataset":
        """A PyArrow dataset over the files that shows the rows of this snapshot only.

        Lazy but for the deletes: the row ids that they hide are found first. Columns are those of
        the files, `_row_id` and `_timestamp` included; 16-bit floats are floats of 32 bits there.
        """
        import pyarrow.dataset as pads  # it imports pandas, 0.2 s and 50 MB, for this call only

        target = file_schema(self.fields)
        if not self.files:
            return pads.dataset(target.empty_table())
        kind = pads.ParquetFileFormat()
        fragments = [
            kind.make_fragment(f.ref.key, self._files, partition_expression=_guarantee(f))
            for f in self.files
        ]
        whole = pads.FileSystemDataset(fragments, target, kind, self._files)
        if any(f.ref.last_timestamp > self.timestamp for f in self.files):
            whole = whole.filter(pc.field(TIMESTAMP_COLUMN) <= self.timestamp)
        hidden = [f.hidden(ROW_ID_COLUMN) for f in self.files if len(f.deletes)]
        absent = pa.concat_arrays(hidden) if hidden else []
        if len(absent):
            whole = whole.filter(~pc.field(ROW_ID_COLUMN).isin(absent))
        return whole

    @cached_property
    def deletes(self) -> AllDeletes:
        """The deletes at or below the timestamp; read from the delta logs once."""
        tables = []
        for ref in self.found.manifest.deltas:
            if ref.first_timestamp <= self.timestamp:
                try:
                    tables.append(delta_log.read(read_object(self._files, ref.key)))
                except FileNotFoundError as error:
                    raise gone(ref.key) from error
        return AllDeletes(tables, key_type(self.fields), self.timestamp)

    def _names(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return list(self.schema.names)
        known = {*self.schema.names, *RESERVED_COLUMNS}
        for name in columns:
            if name not in known:
                raise NotFound(
                    f"collection {self.name!r} has no column {name!r}; it has: "
                    + ", ".join(self.schema.names),
                    field=name,
                )
        return list(columns)

    def _schema(self, names: Sequence[str]) -> pa.Schema:
        return pa.schema([column_field(self.fields, name) for name in names])


def _guarantee(file: FileRows) -> pc.Expression | None:
    """What holds for each row of a file that lacks columns with a default: a dataset fills them
    with it. (It fills other absent columns with null.)"""
    known = {f.id for f in file.written.fields}
    parts = [
        pc.field(f.name) == filled(f, 1)[0]
        for f in file.schema.fields
        if f.has_default and f.id not in known
    ]
    guarantee = None
    for part in parts:
        guarantee = part if guarantee is None else guarantee & part
    return guarantee
