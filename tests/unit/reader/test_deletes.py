"""What deletes hide."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.segment import FileRef
from headrace.reader.deletes import AllDeletes, Deletes


def table(keys: list, timestamps: list[int], kind: pa.DataType | None = None) -> pa.Table:
    everywhere = pa.array([0] * len(keys), pa.int64())
    times = pa.array(timestamps, pa.int64())
    return pa.table({"key": pa.array(keys, kind), "_timestamp": times, "_partition_id": everywhere})


def latest(tables: list[pa.Table], kind: pa.DataType, at: int) -> Deletes:
    return AllDeletes(tables, kind, at).of(1)


def hidden(deletes: Deletes, keys: list, timestamps: list[int]) -> list[bool]:
    array = pa.array(keys, deletes.keys.type)
    return deletes.hide(array, np.array(timestamps, dtype=np.int64)).tolist()


@pytest.mark.parametrize("key", [5, "five"])
def test_a_delete_hides_earlier_rows_with_its_key_and_no_others(key):
    other = type(key)(6)
    kind = pa.int64() if key == 5 else pa.string()
    deletes = latest([table([key], [10], kind)], kind, 99)
    assert hidden(deletes, [key, key, key, other], [9, 10, 11, 9]) == [True, False, False, False]


def test_of_many_deletes_of_a_key_the_latest_counts():
    deletes = latest([table([5, 5], [10, 30]), table([5], [20])], pa.int64(), 99)
    assert hidden(deletes, [5, 5], [29, 30]) == [True, False]


def test_deletes_above_the_timestamp_hide_nothing():
    deletes = latest([table([5, 5], [10, 30])], pa.int64(), 20)
    assert hidden(deletes, [5, 5], [9, 15]) == [True, False]


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
def test_no_deletes_hide_nothing(kind):
    keys = [1, 2] if kind == pa.int64() else ["1", "2"]
    assert hidden(latest([], kind, 99), keys, [1, 2]) == [False, False]
    none_yet = latest([table(keys, [50, 50], kind)], kind, 10)
    assert hidden(none_yet, keys, [1, 2]) == [False, False]


def ref(least: str, greatest: str, first: int) -> FileRef:
    return FileRef(
        key="f",
        epoch=1,
        rows=1,
        size_bytes=1,
        first_timestamp=first,
        last_timestamp=first,
        min_key=least,
        max_key=greatest,
    )


def test_only_deletes_in_the_key_range_and_above_the_first_timestamp_are_within_a_file():
    deletes = latest([table([1, 2, 3, 4, 5], [10, 10, 5, 10, 10])], pa.int64(), 99)
    assert deletes.within(ref("2", "4", 5)).keys.to_pylist() == [2, 4]
    assert deletes.within(ref("2", "4", 4)).keys.to_pylist() == [2, 3, 4]
    assert deletes.within(ref("6", "9", 4)).keys.to_pylist() == []


def test_an_empty_bound_of_a_varchar_key_bounds_nothing():
    deletes = latest([table(["", "a", "b"], [10] * 3)], pa.string(), 99)
    assert deletes.within(ref("", "", 1)).keys.to_pylist() == ["", "a", "b"]
    assert deletes.within(ref("a", "", 1)).keys.to_pylist() == ["a", "b"]


KEYS = st.one_of(st.integers(-4, 4), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.text(st.sampled_from("ab\u00e4\U0001f600"), max_size=3)


@given(
    st.one_of(
        st.tuples(
            st.just(pa.int64()), st.lists(st.tuples(KEYS, st.integers(1, 9))), st.lists(KEYS)
        ),
        st.tuples(
            st.just(pa.string()), st.lists(st.tuples(TEXTS, st.integers(1, 9))), st.lists(TEXTS)
        ),
    ),
    st.integers(1, 9),
    st.data(),
)
def test_rows_are_hidden_as_by_looking_at_every_delete(made, at, data):
    kind, deleted, keys = made
    timestamps = data.draw(st.lists(st.integers(1, 9), min_size=len(keys), max_size=len(keys)))
    deletes = latest([table([k for k, _ in deleted], [t for _, t in deleted], kind)], kind, at)
    expected = [
        any(k == key and timestamp < t <= at for k, t in deleted)
        for key, timestamp in zip(keys, timestamps, strict=True)
    ]
    assert hidden(deletes, keys, timestamps) == expected
    if keys:
        least, greatest = min(keys), max(keys)
        within = deletes.within(ref(str(least), str(greatest), min(timestamps)))
        assert hidden(within, keys, timestamps) == expected


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(0, 2)), max_size=12),
    st.integers(0, 10),
)
def test_a_delete_hides_rows_of_its_partition_or_of_all(deletes, at):
    columns = [
        pa.array(c, pa.int64()) for c in (zip(*deletes, strict=True) if deletes else [[]] * 3)
    ]
    found = AllDeletes([pa.table(columns, ["key", "_timestamp", "_partition_id"])], pa.int64(), at)
    assert found.name_partitions == any(p and t <= at for _, t, p in deletes)
    keys, times = [0, 1, 2, 3] * 10, [t for t in range(10) for _ in range(4)]
    for partition in (1, 2):
        expected = [
            any(k == key and time < t <= at and p in (0, partition) for k, t, p in deletes)
            for key, time in zip(keys, times, strict=True)
        ]
        assert hidden(found.of(partition), keys, times) == expected
