"""Delta logs: the deletes of one sync of a vchannel as one plain Parquet file.

A delete hides rows with its key and a timestamp strictly below its own, in its partition or in all
(DL-2; the reader applies it). Nearly all deletes concern all partitions, so most files do without
the column `_partition_id`. A reader that does not know that column refuses the file instead of
hiding too much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.binlog.columns import KEY_COLUMN
from headrace.binlog.encoded import EncodedFile, encoded_file
from headrace.model.errors import Corrupt
from headrace.model.ids import ALL_PARTITIONS, PartitionId
from headrace.model.schema import TIMESTAMP_COLUMN
from headrace.model.timestamp import Timestamp

PARTITION_COLUMN = "_partition_id"


@dataclass(frozen=True, slots=True)
class DeletesChunk:
    """The deleted keys of one entry, all at its timestamp, in one partition or in all."""

    keys: pa.Array = field(repr=False)
    timestamp: Timestamp
    partition_id: PartitionId = ALL_PARTITIONS


def encode(chunks: Sequence[DeletesChunk]) -> EncodedFile:
    """One file of these deletes, in their order; chunks come in order of their timestamps."""
    assert chunks, "a file of no deletes is never written"
    keys = pa.chunked_array([c.keys for c in chunks]).combine_chunks()
    lengths = [len(c.keys) for c in chunks]
    columns = {
        KEY_COLUMN: keys,
        TIMESTAMP_COLUMN: _repeated([c.timestamp for c in chunks], lengths),
    }
    if any(c.partition_id != ALL_PARTITIONS for c in chunks):
        columns[PARTITION_COLUMN] = _repeated([c.partition_id for c in chunks], lengths)
    schema = pa.schema([pa.field(n, c.type, nullable=False) for n, c in columns.items()])
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(list(columns.values()), schema=schema)
    pq.write_table(table, sink, version="2.6", compression="zstd", use_dictionary=False)
    data = memoryview(sink.getvalue()).cast("B")
    return encoded_file((data,), keys, (chunks[0].timestamp, chunks[-1].timestamp))


def read(data: bytes | memoryview | pa.Buffer) -> pa.Table:
    """Columns `key`, `_timestamp` and `_partition_id` (0: all) of a delta log's bytes; `Corrupt`
    when they are none."""
    try:
        table = pq.read_table(pa.BufferReader(pa.py_buffer(data)))
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt(f"no delta log: {error}") from error
    if table.schema.names == [KEY_COLUMN, TIMESTAMP_COLUMN]:
        everywhere = pa.repeat(pa.scalar(ALL_PARTITIONS, pa.int64()), table.num_rows)
        field = pa.field(PARTITION_COLUMN, pa.int64(), nullable=False)
        return table.append_column(field, everywhere)
    if table.schema.names != [KEY_COLUMN, TIMESTAMP_COLUMN, PARTITION_COLUMN]:
        raise Corrupt(f"a delta log has columns {table.schema.names}")
    return table


def _repeated(values: list[int], times: list[int]) -> pa.Array:
    return pa.array(np.repeat(np.array(values, dtype=np.int64), times))
