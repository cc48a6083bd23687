"""Finding lists."""

import pyarrow as pa
import pytest
from support.values.rows import SMALL, small_batch
from support.world.bucket import COLLECTION, disk_bucket, memory_bucket

import headrace.reader
from headrace.binlog import paths
from headrace.model.errors import Corrupt, Invalid, NotFound


def test_a_collection_that_is_not_there_is_not_found_and_those_there_are_named():
    bucket = memory_bucket(SMALL)
    bucket.publish()
    with pytest.raises(NotFound, match=r"no collection 'other' in this store; there are: docs"):
        headrace.reader.open(bucket.files, "other")


def test_a_collection_without_a_snapshot_says_so():
    bucket = memory_bucket(SMALL)
    bucket.put(paths.names_key(1), b'{"revision":1,"names":{"docs":7}}')
    with pytest.raises(NotFound, match="no snapshot yet"):
        headrace.reader.open(bucket.files, "docs")


def test_a_directory_that_is_no_store_says_so(tmp_path):
    with pytest.raises(NotFound, match="no list of collections"):
        headrace.reader.open(tmp_path, "docs")
    with pytest.raises(Invalid, match="no object directory"):
        headrace.reader.open(tmp_path / "nothing", "docs")
    with pytest.raises(Invalid, match="three slashes"):
        headrace.reader.open("file://data", "docs")
    with pytest.raises(Invalid, match="'ftp' are not served"):
        headrace.reader.open("ftp://data", "docs")


def test_a_renamed_collection_is_found_by_its_new_name_only():
    bucket = memory_bucket(SMALL)
    bucket.publish()
    bucket.name = "papers"
    bucket.publish()
    assert headrace.reader.open(bucket.files, "papers").collection_id == COLLECTION
    with pytest.raises(NotFound):
        headrace.reader.open(bucket.files, "docs")


def test_a_list_that_goes_while_it_is_read_is_looked_for_again():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    bucket.publish()
    handler = bucket.files.handler
    names, opened = paths.names_key(bucket.revision), handler.open_key

    def open_key(key: str) -> pa.NativeFile:
        if key == names and bucket.name == "docs":
            bucket.name = "papers"
            bucket.publish()
            raise FileNotFoundError(key)
        return opened(key)

    handler.open_key = open_key
    assert headrace.reader.open(bucket.files, "papers").count() == 1


def test_a_damaged_list_is_corrupt_and_named(tmp_path):
    bucket = disk_bucket(tmp_path, SMALL)
    bucket.publish()
    key = paths.manifest_key(COLLECTION, bucket.revision)
    (tmp_path / key).write_bytes(b'{"collection_id": ')
    with pytest.raises(Corrupt, match=key):
        headrace.reader.open(tmp_path, "docs")
