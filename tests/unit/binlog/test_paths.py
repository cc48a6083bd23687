"""Keys of objects."""

import pytest

from headrace.binlog import paths
from headrace.binlog.paths import DataKey, DataKind
from headrace.model.errors import Invalid
from headrace.objects.key import check_key


def test_keys_of_data_files_are_taken_apart_again():
    insert = paths.insert_key(1, 2, 3, 4, 5)
    assert insert == "insert/1/2/3/4-5.parquet"
    assert paths.parse_data_key(insert) == DataKey(
        kind=DataKind.INSERT, collection_id=1, partition_id=2, segment_id=3, epoch=4, number=5
    )
    stats = paths.stats_key(insert)
    assert stats == "stats/1/2/3/4-5.stats"
    assert paths.parse_data_key(stats) == DataKey(
        kind=DataKind.STATS, collection_id=1, partition_id=2, segment_id=3, epoch=4, number=5
    )
    delta = paths.delta_key(1, "headrace-dml-3_1v0", 4, 5)
    assert delta == "delta/1/headrace-dml-3_1v0/4-5.parquet"
    assert paths.parse_data_key(delta) == DataKey(
        kind=DataKind.DELTA, collection_id=1, vchannel="headrace-dml-3_1v0", epoch=4, number=5
    )


def test_lists_sort_by_revision_as_text():
    keys = [paths.manifest_key(7, r) for r in (1, 9, 10, 2**62)]
    assert keys == sorted(keys)
    assert keys[2] == "manifests/7/00000000000000000010.json"
    assert [paths.parse_revision(k) for k in keys] == [1, 9, 10, 2**62]
    assert paths.parse_revision(paths.names_key(12)) == 12


@pytest.mark.parametrize(
    "key",
    [
        "insert/1/2/3/4-5.stats",
        "stats/1/2/3/4-5.parquet",
        "insert/1/2/3/4.parquet",
        "insert/1/2/4-5.parquet",
        "delta/1/a/b/4-5.parquet",
        "insert/1/2/3/4-5.parquet.tmp",
    ],
)
def test_other_keys_are_no_data_keys(key):
    with pytest.raises(Invalid, match="no key of a data file"):
        paths.parse_data_key(key)


def test_every_key_is_one_that_stores_take():
    vchannel = "headrace-dml-15_449000000000000000v15"
    check_key(paths.insert_key(2**63, 2**63, 2**63, 2**63, 2**63))
    check_key(paths.delta_key(2**63, vchannel, 1, 1))
    check_key(paths.bundle_key(1, vchannel, "00000000000000000001"))
    check_key(paths.manifest_key(1, 2))
    check_key(paths.names_key(3))


def test_a_bundle_names_its_vchannel():
    key = paths.bundle_key(7, "p-0_7v1", "1-2-3")
    assert paths.bundle_vchannel(key) == "p-0_7v1"
    assert paths.bundle_vchannel("delta/7/p-0_7v1/1-2.parquet") == ""
    assert paths.bundle_vchannel("bundles/7") == ""
