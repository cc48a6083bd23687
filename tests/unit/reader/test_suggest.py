"""Where a store may be when a user names a place beside it."""

from pathlib import Path

import pytest
from support.values.rows import SMALL, small_batch
from support.world.bucket import disk_bucket

import headrace.reader
from headrace.model.errors import NotFound
from headrace.reader.suggest import suggest_store


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a store in it, as `standalone` makes it."""
    data = tmp_path / "data"
    (data / "store").mkdir(parents=True)
    (data / "logs").mkdir()
    bucket = disk_bucket(data / "store", SMALL)
    bucket.rows(5, (10, small_batch([1, 2])))
    bucket.publish()
    return data


def test_a_store_below_is_named(data_dir: Path) -> None:
    assert suggest_store(data_dir, None) == str(data_dir / "store")
    assert suggest_store(data_dir.parent, None) == str(data_dir / "store")


def test_a_store_above_is_named(data_dir: Path) -> None:
    inside = data_dir / "store" / "insert" / "7"
    assert inside.is_dir()
    assert suggest_store(inside, None) == str(data_dir / "store")
    assert suggest_store(f"file://{inside}", None) == str(data_dir / "store")


def test_where_there_is_none_nothing_is_named(tmp_path: Path) -> None:
    assert suggest_store(tmp_path, None) == ""


@pytest.mark.parametrize("place", [".", "store/manifests", "logs"])
def test_who_opens_a_place_beside_the_store_is_told(data_dir: Path, place: str) -> None:
    with pytest.raises(NotFound) as caught:
        headrace.reader.open(data_dir / place, "docs")
    said = caught.value.message
    assert said.startswith("this store has no list of collections")
    named = place != "logs"
    assert said.endswith(f"There is one at {data_dir / 'store'}") is named


def test_a_collection_that_is_not_in_a_store_is_no_reason_to_look_around(data_dir: Path) -> None:
    with pytest.raises(NotFound, match="there are: docs"):
        headrace.reader.open(data_dir / "store", "other")
