"""Stats logs."""

import pyarrow as pa
import pytest
from support.values.rows import key_field, schema_of

from headrace.binlog import stats_log
from headrace.model.errors import Corrupt
from headrace.model.schema import DataType


def test_every_key_of_the_file_may_be_in_it():
    schema = schema_of(key_field())
    keys = pa.array(range(-5000, 5000))
    stats = stats_log.decode(b"".join(stats_log.encode(schema, keys)))
    assert all(stats.may_contain(keys))
    assert stats.rows == 10_000
    assert (stats.head.min_key, stats.head.max_key) == ("-5000", "4999")


def test_few_absent_keys_may_be_in_it():
    schema = schema_of(key_field(DataType.VARCHAR))
    keys = pa.array([f"key {i}" for i in range(10_000)])
    stats = stats_log.decode(b"".join(stats_log.encode(schema, keys)))
    assert all(stats.may_contain(keys))
    absent = pa.array([f"other {i}" for i in range(10_000)])
    assert sum(stats.may_contain(absent)) < 300


@pytest.mark.parametrize("data", [b"", b"HRS1\xff\xff\xff\xff", b"JUNK\x02\x00\x00\x00{}xxxxxxxx"])
def test_what_is_no_stats_log_is_corrupt(data):
    with pytest.raises(Corrupt, match=r"insert/x"):
        stats_log.decode(data, "insert/x")
