"""Delta logs."""

import pyarrow as pa
import pytest

from headrace.binlog import delta_log
from headrace.binlog.delta_log import DeletesChunk
from headrace.model.errors import Corrupt


@pytest.mark.parametrize("keys", [([3, 1], [2**60]), (["b", "a"], [""])])
def test_deletes_come_back_in_order_with_their_timestamps(keys):
    first, second = (pa.array(k) for k in keys)
    encoded = delta_log.encode([DeletesChunk(first, 10), DeletesChunk(second, 12)])
    table = delta_log.read(b"".join(encoded.parts))
    assert table["key"].to_pylist() == [*keys[0], *keys[1]]
    assert table["_timestamp"].to_pylist() == [10, 10, 12]
    assert (encoded.rows, encoded.first_timestamp, encoded.last_timestamp) == (3, 10, 12)


def test_the_key_range_is_that_of_the_deletes():
    encoded = delta_log.encode([DeletesChunk(pa.array([7, -3, 5]), 1)])
    assert (encoded.min_key, encoded.max_key) == ("-3", "7")


def test_what_is_no_delta_log_is_corrupt():
    with pytest.raises(Corrupt, match="no delta log"):
        delta_log.read(b"nothing")
