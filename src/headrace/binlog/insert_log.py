"""Insert logs: the rows of one sync of a segment as one plain Parquet file.

Any Parquet reader reads these files without our code: vectors are `list<float>` in the schema of
Parquet, with Arrow's fixed-size list in the file's metadata (`ARROW:schema`). Vectors have neither
dictionary nor statistics nor compression, which cost CPU and save nothing on random mantissas; all
other columns are zstd (`parquet.column_options` has the table). Chunks are written as they come,
without joining them first.

Where it can be, vectors are not copied: pages are made around them (`parquet.spliced_file`), so the
parts of a file are views of the chunks. Else PyArrow writes the whole file, and tests compare the
two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.binlog.columns import (
    OWN_FIELDS,
    arrow_schema,
    file_schema,
    in_file,
    in_memory,
    stored_kind,
)
from headrace.binlog.encoded import EncodedFile, encoded_file
from headrace.binlog.parquet.column_options import column_options
from headrace.binlog.parquet.spliced_file import can_be_spliced, parts_of
from headrace.model.entry import Body
from headrace.model.errors import Corrupt
from headrace.model.ids import RowId
from headrace.model.schema import ROW_ID_COLUMN, Schema
from headrace.model.timestamp import Timestamp

PAGE_BYTES = 1 << 20
WRITE_BATCH_VALUES = 1024
SMALL_CHUNK_ROWS = 16
ROW_GROUP_ROWS = 1 << 20  # a sync is one row group, unless its rows are tiny


@dataclass(frozen=True, slots=True)
class RowsChunk:
    """Rows of one entry that belong to the segment. Row n has `_row_id` first_row_id + n."""

    batch: pa.RecordBatch = field(repr=False)
    first_row_id: RowId
    timestamp: Timestamp


def encode(schema: Schema, chunks: Sequence[RowsChunk]) -> EncodedFile:
    """One file of these rows, in their order; chunks come in order of their timestamps.

    CPU-bound: run it in a thread. `Corrupt` when a chunk's columns are not those of the schema.
    """
    assert chunks, "a file of no rows is never written"
    rows = _joined(schema, chunks)
    for own, column in zip(OWN_FIELDS, _own_columns(chunks), strict=True):
        rows = rows.append_column(own, column)
    parts: tuple[Body, ...]
    if can_be_spliced(schema, rows):
        parts, view_bytes = parts_of(schema, rows, lambda part: write_by_arrow(schema, part))
    else:
        parts, view_bytes = (write_by_arrow(schema, file_table(schema, rows)),), 0
    keys = rows.column(schema.key.name).combine_chunks()
    times = (chunks[0].timestamp, chunks[-1].timestamp)
    return encoded_file(parts, keys, times, 0 if _are_small(chunks) else view_bytes)


def file_table(schema: Schema, rows: pa.Table) -> pa.Table:
    """Rows with the columns of `file_schema`, with the types of files."""
    columns = [in_file(rows[f.name], f.type) for f in schema.fields]
    columns += [rows[f.name] for f in OWN_FIELDS]
    return pa.Table.from_arrays(columns, schema=file_schema(schema))


def read(data: Body | pa.Buffer) -> pa.Table:
    """All columns of an insert log's bytes, in memory's types; `Corrupt` when they are none."""
    try:
        table = pq.read_table(pa.BufferReader(pa.py_buffer(data)))
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt(f"no insert log: {error}") from error
    columns = [
        in_memory(c, stored_kind(f)) for f, c in zip(table.schema, table.columns, strict=True)
    ]
    fields = [f.with_type(c.type) for f, c in zip(table.schema, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _joined(schema: Schema, chunks: Sequence[RowsChunk]) -> pa.Table:
    """All rows as one table over the chunks' own buffers.

    Chunks of few rows are copied together first: PyArrow's writer takes some microseconds a chunk
    and column, more than the copy.
    """
    try:
        rows = pa.Table.from_batches([c.batch for c in chunks], arrow_schema(schema))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Corrupt(f"rows do not have the columns of their segment: {error}") from error
    return rows.combine_chunks() if _are_small(chunks) else rows


def _are_small(chunks: Sequence[RowsChunk]) -> bool:
    rows: int = sum(c.batch.num_rows for c in chunks)
    return rows < SMALL_CHUNK_ROWS * len(chunks)


def _own_columns(chunks: Sequence[RowsChunk]) -> tuple[pa.Array, pa.Array]:
    counts = np.array([c.batch.num_rows for c in chunks], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    firsts = np.array([c.first_row_id for c in chunks], dtype=np.int64)
    row_ids = np.repeat(firsts - starts, counts) + np.arange(counts.sum(), dtype=np.int64)
    timestamps = np.repeat(np.array([c.timestamp for c in chunks], dtype=np.int64), counts)
    return pa.array(row_ids), pa.array(timestamps)


def write_by_arrow(schema: Schema, table: pa.Table) -> Body:
    """A whole file of all or some of the columns of `file_schema`, by PyArrow's writer."""
    sink = pa.BufferOutputStream()
    try:
        settings = _writer_settings(schema, table.schema.names)
        with pq.ParquetWriter(sink, table.schema, **settings) as writer:
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
    except pa.ArrowInvalid as error:  # a null where the schema allows none
        raise Corrupt(f"rows do not fit the schema of their segment: {error}") from error
    return memoryview(sink.getvalue()).cast("B")


def _writer_settings(schema: Schema, names: Sequence[str]) -> dict[str, object]:
    options = column_options(schema, names)
    return {
        "version": "2.6",
        "data_page_version": "1.0",  # fastparquet does not read lists in pages of version 2
        "compression": {o.path: o.compression for o in options},
        "use_dictionary": [o.path for o in options if o.dictionary],
        "column_encoding": {ROW_ID_COLUMN: "DELTA_BINARY_PACKED"},
        "write_statistics": [o.path for o in options if o.statistics],
        "data_page_size": PAGE_BYTES,
        "write_batch_size": WRITE_BATCH_VALUES,
        "store_schema": True,
        "write_page_checksum": True,
    }
