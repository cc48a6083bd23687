"""What meta says of a file: the key range in a small form."""

import pyarrow as pa
import pytest

from headrace.binlog.encoded import EncodedFile, key_range
from headrace.model.segment import FileRef


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], ("", "")),
        ([3, -7, 2**62], ("-7", str(2**62))),
        (["b", "a", "ab"], ("a", "b")),
        (["x" * 64], ("x" * 64, "x" * 64)),
        (["a" * 65], ("a" * 64, "a" * 63 + "b")),
        (["a", "\U0010ffff" * 65], ("a", "")),
        (["b" + "\U0010ffff" * 70], ("b" + "\U0010ffff" * 63, "c")),
        (["\ud7ff" * 65], ("\ud7ff" * 64, "\ud7ff" * 63 + "\ue000")),
    ],
)
def test_the_range_is_exact_for_short_keys_and_bounds_long_ones(keys, expected):
    kind = pa.string() if keys and isinstance(keys[0], str) else pa.int64()
    assert key_range(pa.array(keys, kind)) == expected


def test_a_reference_repeats_what_the_file_says_of_itself():
    encoded = EncodedFile(
        parts=(b"ab", b"c"),
        rows=2,
        size_bytes=3,
        first_timestamp=5,
        last_timestamp=6,
        min_key="1",
        max_key="2",
        keys=pa.array([1, 2]),
    )
    assert encoded.ref("insert/k", 9, "stats/k") == FileRef(
        key="insert/k",
        epoch=9,
        rows=2,
        size_bytes=3,
        first_timestamp=5,
        last_timestamp=6,
        min_key="1",
        max_key="2",
        stats_key="stats/k",
    )
