"""Rows of a batch looked up in files: which stand, since when, in which store."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.values.rows import SMALL, small_batch
from support.world.bucket import COLLECTION, disk_bucket

from headrace.ingest.lookup import Store, absent, places_of, runs_of
from headrace.model.errors import Invalid


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Rows 1 to 3 written at 5, 4 and 5 at 8, 6 at 9; complete up to 9."""
    bucket = disk_bucket(tmp_path, SMALL)
    bucket.rows(20, (5, small_batch([1, 2, 3])), (8, small_batch([4, 5])))
    bucket.rows(21, (9, small_batch([6])))
    bucket.publish()
    return Store(str(tmp_path))


def places(store: Store, keys: list[int], since: int, until: int = 9) -> list[int]:
    values = pa.array(keys, pa.int64())
    found = absent(store, COLLECTION, "id", values, since=since, until=until)
    return [int(place) for place in found]


def test_rows_written_since_stand_and_others_are_absent(store: Store) -> None:
    assert places(store, [6, 4, 7, 5, 8], since=6) == [2, 4]


def test_rows_of_the_same_key_that_stood_before_do_not_count(store: Store) -> None:
    assert places(store, [1, 4], since=6) == [0]
    assert places(store, [1, 4], since=8) == [0, 1]
    assert places(store, [6], since=9) == [0]


def test_any_column_may_tell_rows_apart(store: Store) -> None:
    values = pa.array(["text 4", "text 1", "no text"])
    found = absent(store, COLLECTION, "text", values, since=6, until=9)
    assert found.tolist() == [1, 2]


def test_a_store_that_does_not_reach_the_flush_is_another(store: Store) -> None:
    with pytest.raises(Invalid, match="it lacks what was just flushed"):
        places(store, [1], since=0, until=10)


@given(st.lists(st.integers(0, 60), unique=True).map(sorted))
def test_places_are_written_as_runs_and_come_back(wanted: list[int]) -> None:
    runs = runs_of(np.array(wanted, np.int64))
    assert places_of(runs).tolist() == wanted
    assert all(first < end for first, end in runs)
    assert all(a[1] < b[0] for a, b in pairwise(runs))
