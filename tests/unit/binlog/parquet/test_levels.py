"""Levels of lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.binlog.parquet import levels
from headrace.model.errors import Corrupt

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=60)


def decoded(data: memoryview, values: int) -> list[int]:
    """Runs and packed bits of levels up to one bit, decoded by the letter of the format."""
    found: list[int] = []
    place = 0
    while len(found) < values:
        head = shift = 0
        while True:
            byte = data[place]
            place += 1
            head |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if head & 1:
            for byte in data[place : place + (head >> 1)]:
                found += [byte >> n & 1 for n in range(8)]
            place += head >> 1
        else:
            found += [data[place]] * (head >> 1)
            place += 1
    assert place == len(data)
    return found[:values]


@pytest.mark.parametrize("length", [1, 2, 3, 8, 31, 32, 33, 40, 1000])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 100])
def test_levels_of_equal_lists_say_where_each_begins(rows: int, length: int):
    data = memoryview(levels.of_equal_lists(rows, length, 1))
    size = int.from_bytes(data[:4], "little")
    wanted = ([0] + [1] * (length - 1)) * rows
    assert decoded(data[4 : 4 + size], rows * length) == wanted
    rest = data[4 + size :]
    assert decoded(rest[4:], rows * length) == [1] * (rows * length)


@pytest.mark.parametrize("length", range(1, 100))
def test_levels_of_equal_lists_take_at_most_five_bytes_a_list(length: int):
    assert len(levels.of_equal_lists(1000, length, 1)) <= 5_020


@given(LENGTHS, st.sampled_from([1, 2]), st.binary(max_size=3))
def test_lengths_come_back(lengths: list[int], highest: int, behind: bytes):
    data = levels.of_lists(np.array(lengths), highest)
    values = sum(max(1, n) for n in lengths)
    found, rest = levels.lengths_of(memoryview(data + behind), values, highest)
    assert (found.tolist(), bytes(rest)) == (lengths, behind)


@given(LENGTHS, st.sampled_from([1, 2]), st.data())
def test_altered_levels_are_corrupt_or_mean_as_many_values(lengths, highest, data):
    made = bytearray(levels.of_lists(np.array(lengths), highest))
    place = data.draw(st.integers(0, len(made) - 1))
    made[place] ^= data.draw(st.integers(1, 255))
    values = sum(max(1, n) for n in lengths)
    try:
        found, _ = levels.lengths_of(memoryview(made), values, highest)
    except Corrupt:
        return
    assert np.maximum(found, 1).sum() == values


@given(LENGTHS, st.data())
def test_levels_that_are_cut_short_are_corrupt(lengths, data):
    made = levels.of_lists(np.array(lengths), 1)
    end = data.draw(st.integers(0, len(made) - 1))
    with pytest.raises(Corrupt):
        levels.lengths_of(memoryview(made)[:end], sum(max(1, n) for n in lengths), 1)


def test_a_page_that_begins_inside_a_list_is_corrupt():
    data = bytearray(levels.of_lists(np.array([2, 2]), 1))
    data[5] |= 1  # the first bit behind the length and the head of the run
    with pytest.raises(Corrupt, match="begins inside"):
        levels.lengths_of(memoryview(data), 4, 1)
