"""Groups come back from their bytes as they were made."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.entry import Rows, SegmentRows
from headrace.model.errors import Corrupt
from headrace.model.group import ALIGNMENT, Group, decode, encode

ROWS = Rows(
    vchannel="p-0_7v0",
    timestamp=11,
    collection_id=7,
    partition_id=8,
    version=3,
    part_id=b"p" * 16,
    fingerprint=b"f" * 16,
    first_sent=10,
    keyed=True,
)


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 2**63 - 1))
def test_rows_and_deletes_come_back_with_their_partitions(
    body: bytes, delete_body: bytes, delete_partition_id: int
) -> None:
    first = replace(ROWS, rows=5, body=body, segments=(SegmentRows(20, 0, 5, True),))
    second = replace(
        ROWS,
        timestamp=12,
        deletes=2,
        delete_body=delete_body,
        delete_partition_id=delete_partition_id,
    )
    group = Group(4, 2, (first, second))
    assert decode(b"".join(encode(group))) == group


def test_bodies_stand_where_arrow_reads_them_in_place() -> None:
    parts = encode(Group(4, 2, (replace(ROWS, rows=1, body=b"\xab" * 70),)))
    assert b"".join(parts).index(b"\xab" * 70) % ALIGNMENT == 0


def test_a_message_that_is_cut_short_is_corrupt() -> None:
    message = b"".join(encode(Group(4, 2, (replace(ROWS, rows=1, body=b"x" * 70),))))
    for end in (0, 5, 20, len(message) - 70):
        with pytest.raises(Corrupt):
            decode(message[:end])
