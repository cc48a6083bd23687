"""A request is cut by its bytes, its id and the number of shards, and by nothing else."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.errors import Invalid
from headrace.proxy.write.cut import (
    Sizes,
    cut,
    kept_of,
    sizes_of,
    take,
)


def places(parts: list) -> list[list[int] | None]:
    return [None if p.places is None else p.places.tolist() for p in parts]


def test_parts_are_numbered_by_shard_and_then_by_place() -> None:
    shard_of_row = np.array([1, 0, 1, 0, 1])
    parts = cut(shard_of_row, Sizes(10, None), 2, 20)
    assert [(p.number, p.shard) for p in parts] == [(0, 0), (1, 1), (2, 1)]
    assert places(parts) == [[1, 3], [0, 2], [4]]


def test_one_shard_that_fits_one_entry_is_not_copied() -> None:
    (part,) = cut(np.zeros(5, np.int64), Sizes(10, None), 1, 50)
    assert part.places is None
    column = pa.array(range(5))
    assert take(column, part.places) is column


def test_a_row_left_out_is_in_no_part() -> None:
    assert places(cut(np.array([0, -1, 0]), Sizes(1, None), 1, 100)) == [[0, 2]]


def test_a_row_larger_than_an_entry_is_refused_by_its_number() -> None:
    with pytest.raises(Invalid, match="row 1 has 110 bytes, above the limit of 100"):
        cut(np.zeros(3, np.int64), Sizes(10, np.array([0, 100, 5])), 1, 100)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=60),
    st.integers(50, 200),
)
def test_every_row_is_in_exactly_one_part_of_its_shard(
    rows: list[tuple[int, int]], bytes_max: int
) -> None:
    shard_of_row = np.array([shard for shard, _ in rows])
    sizes = Sizes(10, np.array([size for _, size in rows]))
    parts = cut(shard_of_row, sizes, 4, bytes_max)
    seen = []
    for part in parts:
        assert part.places is not None
        inside = part.places.tolist()
        assert inside == sorted(inside)
        assert all(rows[row][0] == part.shard for row in inside)
        assert sum(10 + rows[row][1] for row in inside) <= bytes_max
        seen += inside
    assert sorted(seen) == list(range(len(rows)))
    assert [p.number for p in parts] == list(range(len(parts)))


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 3)), min_size=1, max_size=60),
    st.integers(10, 200),
)
def test_with_a_partition_key_a_part_is_of_one_partition_too(
    rows: list[tuple[int, int]], bytes_max: int
) -> None:
    shard_of_row, partition_of_row = (np.array(c) for c in zip(*rows, strict=True))
    parts = cut(shard_of_row, Sizes(10, None), 3, bytes_max, partition_of_row, 4)
    assert [(p.shard, p.partition) for p in parts] == sorted((p.shard, p.partition) for p in parts)
    seen = []
    for part in parts:
        assert part.places is not None
        inside = part.places.tolist()
        assert inside == sorted(inside)
        assert {rows[row] for row in inside} == {(part.shard, part.partition)}
        assert 10 * len(inside) <= bytes_max
        seen += inside
    assert sorted(seen) == [n for n, (shard, _) in enumerate(rows) if shard >= 0]


def test_sizes_count_texts_and_vectors() -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(6, np.float32)), 3)
    columns = [pa.array([1, 2]), pa.array(["abc", None]), vectors, pa.array([True, None])]
    sizes = sizes_of(columns)
    assert sizes.fixed == 8 + 4 + 12 + 1
    assert sizes.own is not None
    assert sizes.own.tolist() == [3, 0]


def test_of_a_repeated_key_the_last_row_is_kept() -> None:
    assert kept_of(pa.array([1, 2, 3])) is None
    for keys in (pa.array([5, 7, 5, 9, 7]), pa.array(["a", "b", "a", "c", "b"])):
        kept = kept_of(keys)
        assert kept is not None
        assert kept.tolist() == [2, 3, 4]


def test_rows_that_follow_each_other_are_a_view() -> None:
    column = pa.array(range(100))
    taken = take(column, np.arange(10, 20))
    assert taken.to_pylist() == list(range(10, 20))
    assert taken.buffers()[1].address == column.buffers()[1].address
    assert take(column, np.array([1, 3, 4])).to_pylist() == [1, 3, 4]


def test_lists_are_measured_by_their_elements_and_texts() -> None:
    sparse = pa.array(
        [{"indices": [1, 2], "values": [0.5, 1]}, {"indices": [], "values": []}],
        pa.struct([("indices", pa.list_(pa.uint32())), ("values", pa.list_(pa.float32()))]),
    )
    sizes = sizes_of([sparse])
    assert sizes.of(np.arange(2)).tolist() == [8 + 16, 8]
    numbers = pa.array([[1, 2, 3], None, []], pa.list_(pa.int16()))
    assert sizes_of([numbers]).of(np.arange(3)).tolist() == [10, 4, 4]
    texts = pa.array([["ab", "c"], None, [], [""]], pa.list_(pa.string()))
    assert sizes_of([texts]).of(np.arange(4)).tolist() == [4 + 8 + 3, 4, 4, 4 + 4]
    assert sizes_of([texts.slice(0, 3).take(pa.array([2, 0]))]).of(np.arange(2)).tolist() == [4, 15]
