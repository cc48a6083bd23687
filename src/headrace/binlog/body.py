"""Bodies: the rows or the keys of one entry as bytes of the log, and back without a copy.

A body is an Arrow IPC stream of one record batch, not compressed. Arrow pads every buffer inside it
to 8 bytes, and `model.group` starts each body at a multiple of 64. So decoded columns are views
into the message and live as long as it does.
"""

import pyarrow as pa

from headrace.binlog.columns import KEY_COLUMN
from headrace.model.entry import Body
from headrace.model.errors import Corrupt

_END_OF_STREAM_BYTES = 8


def encode_rows(batch: pa.RecordBatch) -> Body:
    """One body of these rows; slices are cut to what they show. Costs one copy of the columns."""
    schema = batch.schema.serialize()
    size = len(schema) + pa.ipc.get_record_batch_size(batch) + _END_OF_STREAM_BYTES
    buffer = pa.allocate_buffer(size)
    sink = pa.FixedSizeBufferWriter(buffer)
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    written = sink.tell()
    sink.close()
    assert written == size, (written, size)
    return memoryview(buffer).cast("B").toreadonly()


def decode_rows(body: Body, where: str = "") -> pa.RecordBatch:
    """The rows of a body, as views into it; `Corrupt` naming `where` when it is none."""
    try:
        batch = pa.ipc.open_stream(pa.py_buffer(body)).read_next_batch()
        batch.validate()
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError, StopIteration) as error:
        raise Corrupt(f"a body is no Arrow record batch: {error}", channel=where) from error
    return batch


def encode_keys(keys: pa.Array) -> Body:
    """One body of the keys of deletes."""
    return encode_rows(pa.RecordBatch.from_arrays([keys], names=[KEY_COLUMN]))


def decode_keys(body: Body, where: str = "") -> pa.Array:
    """The keys of a body of deletes, as a view into it; `Corrupt` when it is none."""
    batch = decode_rows(body, where)
    if batch.schema.names != [KEY_COLUMN]:
        raise Corrupt(f"a body of deletes has columns {batch.schema.names}", channel=where)
    return batch.column(0)
