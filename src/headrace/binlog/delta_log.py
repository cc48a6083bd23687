"""Delta logs: the deletes of one sync of a vchannel as one plain Parquet file.

**Owns** its two columns, `key` and `_timestamp`, and the settings. **Does not own** what a delete
hides (DL-2: rows with its key and a timestamp strictly below its own; the reader applies it).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.binlog.columns import KEY_COLUMN
from headrace.binlog.encoded import EncodedFile, key_range
from headrace.model.errors import Corrupt
from headrace.model.schema import TIMESTAMP_COLUMN
from headrace.model.timestamp import Timestamp


@dataclass(frozen=True, slots=True)
class DeletesChunk:
    """The deleted keys of one entry, all at its timestamp."""

    keys: pa.Array = field(repr=False)
    timestamp: Timestamp


def encode(chunks: Sequence[DeletesChunk]) -> EncodedFile:
    """One file of these deletes, in their order; chunks come in order of their timestamps."""
    assert chunks, "a file of no deletes is never written"
    keys = pa.chunked_array([c.keys for c in chunks]).combine_chunks()
    timestamps = np.repeat(
        np.array([c.timestamp for c in chunks], dtype=np.int64), [len(c.keys) for c in chunks]
    )
    schema = pa.schema(
        [
            pa.field(KEY_COLUMN, keys.type, nullable=False),
            pa.field(TIMESTAMP_COLUMN, pa.int64(), nullable=False),
        ]
    )
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays([keys, pa.array(timestamps)], schema=schema)
    pq.write_table(table, sink, version="2.6", compression="zstd", use_dictionary=False)
    data = memoryview(sink.getvalue()).cast("B")
    least, greatest = key_range(keys)
    return EncodedFile(
        parts=(data,),
        rows=len(keys),
        size_bytes=len(data),
        first_timestamp=chunks[0].timestamp,
        last_timestamp=chunks[-1].timestamp,
        min_key=least,
        max_key=greatest,
        keys=keys,
    )


def read(data: bytes | memoryview | pa.Buffer) -> pa.Table:
    """Columns `key` and `_timestamp` of a delta log's bytes; `Corrupt` when they are none."""
    try:
        table = pq.read_table(pa.BufferReader(pa.py_buffer(data)))
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt(f"no delta log: {error}") from error
    if table.schema.names != [KEY_COLUMN, TIMESTAMP_COLUMN]:
        raise Corrupt(f"a delta log has columns {table.schema.names}")
    return table
