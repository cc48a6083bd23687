"""Insert logs: the rows of one sync of a segment as one plain Parquet file.

**Owns** the Parquet settings and the own columns. **Does not own** which rows come together
(`datanode.growing`), keys of objects (`binlog.paths`) or the columns' types (`binlog.columns`).

Any Parquet reader reads these files without our code: vectors are `list<float>` in the schema of
Parquet, with Arrow's fixed-size list in the file's metadata (`ARROW:schema`). Vectors have neither
dictionary nor statistics nor compression, which cost CPU and save nothing on random mantissas; all
other columns are zstd. Chunks are written as they come, without joining them first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.binlog.columns import OWN_FIELDS, file_schema, vector_names
from headrace.binlog.encoded import EncodedFile, key_range
from headrace.model.errors import Corrupt
from headrace.model.ids import RowId
from headrace.model.schema import ROW_ID_COLUMN, Schema
from headrace.model.timestamp import Timestamp

PAGE_BYTES = 1 << 20
WRITE_BATCH_ROWS = 256
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
    target = file_schema(schema)
    table = pa.Table.from_batches([_with_own_columns(c, target) for c in chunks], target)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, target, **_writer_settings(schema)) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
    data = memoryview(sink.getvalue()).cast("B")
    keys = table.column(schema.key.name).combine_chunks()
    least, greatest = key_range(keys)
    return EncodedFile(
        parts=(data,),
        rows=table.num_rows,
        size_bytes=len(data),
        first_timestamp=chunks[0].timestamp,
        last_timestamp=chunks[-1].timestamp,
        min_key=least,
        max_key=greatest,
        keys=keys,
    )


def read(data: bytes | memoryview | pa.Buffer) -> pa.Table:
    """All columns of an insert log's bytes; `Corrupt` when they are none."""
    try:
        return pq.read_table(pa.BufferReader(pa.py_buffer(data)))
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt(f"no insert log: {error}") from error


def _with_own_columns(chunk: RowsChunk, target: pa.Schema) -> pa.RecordBatch:
    rows = chunk.batch.num_rows
    row_ids = np.arange(chunk.first_row_id, chunk.first_row_id + rows, dtype=np.int64)
    timestamps = np.full(rows, chunk.timestamp, dtype=np.int64)
    columns = [*chunk.batch.columns, pa.array(row_ids), pa.array(timestamps)]
    own = len(target) - len(OWN_FIELDS)
    if (
        chunk.batch.schema.names != target.names[:own]
        or chunk.batch.schema.types != (target.types[:own])
    ):
        raise Corrupt(f"rows have columns {chunk.batch.schema}, the segment's schema is {target}")
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _writer_settings(schema: Schema) -> dict[str, object]:
    vectors = vector_names(schema)
    leaves = {name: f"{name}.list.element" for name in vectors}
    others = [f.name for f in schema.fields if f.name not in leaves] + [f.name for f in OWN_FIELDS]
    compression = dict.fromkeys(others, "zstd") | dict.fromkeys(leaves.values(), "none")
    return {
        "version": "2.6",
        "data_page_version": "1.0",  # fastparquet does not read lists in pages of version 2
        "compression": compression,
        "use_dictionary": [n for n in others if n != ROW_ID_COLUMN],
        "column_encoding": {ROW_ID_COLUMN: "DELTA_BINARY_PACKED"},
        "write_statistics": others,
        "data_page_size": PAGE_BYTES,
        "write_batch_size": WRITE_BATCH_ROWS,
        "store_schema": True,
    }
