"""Heads of pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.binlog.parquet import page_heads
from headrace.binlog.parquet.page_heads import Encoding, PageKind
from headrace.model.errors import Corrupt

PARTS = st.lists(st.binary(max_size=20), min_size=1, max_size=3)
KINDS = st.sampled_from(list(PageKind))
ENCODINGS = st.sampled_from(list(Encoding))


@given(KINDS, st.integers(0, 2**31 - 1), ENCODINGS, PARTS, st.booleans())
def test_a_head_says_what_it_was_made_of(kind, values, encoding, parts, checksum):
    data = b"".join(page_heads.page(kind, values, encoding, parts, checksum=checksum))
    head, length = page_heads.parsed(data)
    assert data[length:] == b"".join(parts)
    assert (head.kind, head.values, head.encoding) == (kind, values, encoding)
    assert head.size_bytes == len(data) - length
    assert head.crc == (page_heads.crc_of([data[length:]]) if checksum else None)


@given(KINDS, PARTS, st.data())
def test_a_head_that_is_cut_short_is_corrupt(kind, parts, data):
    made = b"".join(page_heads.page(kind, 5, Encoding.PLAIN, parts, checksum=True))
    _, length = page_heads.parsed(made)
    with pytest.raises(Corrupt):
        page_heads.parsed(made[: data.draw(st.integers(0, length - 1))])


@given(st.binary(max_size=64))
def test_any_bytes_are_a_head_or_corrupt(data):
    try:
        head, length = page_heads.parsed(data)
    except Corrupt:
        return
    assert 0 < length <= len(data)
    assert head.size_bytes >= 0
    assert head.values >= 0


def test_values_within_each_other_without_end_are_corrupt():
    for byte in (0x1C, 0x19):  # a struct in a struct, a list in a list
        with pytest.raises(Corrupt):
            page_heads.parsed(bytes([byte]) * 100_000)
