"""Delta logs."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.binlog import delta_log
from headrace.binlog.delta_log import DeletesChunk
from headrace.model.errors import Corrupt

NAMES = ("key", "_timestamp", "_partition_id")


@pytest.mark.parametrize("keys", [([3, 1], [2**60]), (["b", "a"], [""])])
def test_deletes_come_back_in_order_with_their_timestamps(keys):
    first, second = (pa.array(k) for k in keys)
    encoded = delta_log.encode([DeletesChunk(first, 10), DeletesChunk(second, 12)])
    table = delta_log.read(b"".join(encoded.parts))
    assert table["key"].to_pylist() == [*keys[0], *keys[1]]
    assert table["_timestamp"].to_pylist() == [10, 10, 12]
    assert (encoded.rows, encoded.first_timestamp, encoded.last_timestamp) == (3, 10, 12)


def test_a_partition_is_a_column_only_where_a_delete_is_in_one():
    keys = pa.array([1, 2])
    for partition_id, names in ((0, ["key", "_timestamp"]), (7, [*NAMES])):
        chunks = [DeletesChunk(keys, 10), DeletesChunk(keys, 12, partition_id)]
        data = b"".join(delta_log.encode(chunks).parts)
        assert pq.read_schema(pa.BufferReader(data)).names == names
        table = delta_log.read(data)
        assert table["_partition_id"].to_pylist() == [0, 0, partition_id, partition_id]
        assert table.schema == pa.schema([pa.field(n, pa.int64(), False) for n in NAMES])


def test_a_delta_log_with_other_columns_is_corrupt():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"key": [1], "_timestamp": [1], "more": [1]}), sink)
    with pytest.raises(Corrupt, match="columns"):
        delta_log.read(sink.getvalue())


def test_the_key_range_is_that_of_the_deletes():
    encoded = delta_log.encode([DeletesChunk(pa.array([7, -3, 5]), 1)])
    assert (encoded.min_key, encoded.max_key) == ("-3", "7")


def test_what_is_no_delta_log_is_corrupt():
    with pytest.raises(Corrupt, match="no delta log"):
        delta_log.read(b"nothing")
