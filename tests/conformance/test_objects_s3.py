"""What a real S3 server makes of trouble, and the reader on a bucket."""

import os
from dataclasses import replace

import obstore
import pytest
from support.bucket import Bucket
from support.rows import SMALL, small_batch
from support.s3 import s3_bucket, s3_server

import headrace.reader
from headrace.app.nats_server import free_port
from headrace.app.s3_server import READER
from headrace.model.errors import Conflict, Invalid, NotFound, Unavailable
from headrace.objects.arrow_files import file_system
from headrace.objects.s3 import S3Objects, connect
from headrace.runtime.host import real_host

__all__ = ["s3_bucket", "s3_server"]  # fixtures


async def test_wrong_credentials_are_said_at_the_check(s3_bucket):
    secret = replace(s3_bucket.access, secret_access_key="wrong")
    with pytest.raises(Invalid, match=r"s3://headrace/.*: the secret access key is wrong"):
        await s3_bucket.store(secret).check()
    nobody = replace(s3_bucket.access, access_key_id="nobody")
    with pytest.raises(Invalid, match="the access key id is unknown"):
        await s3_bucket.store(nobody).check()


async def test_a_missing_bucket_is_said_at_the_check(s3_bucket):
    store = S3Objects("s3://nothing-there/x", s3_bucket.access, host=real_host())
    with pytest.raises(Invalid, match="there is no such bucket"):
        await store.check()


async def test_credentials_that_may_only_read_are_said_at_the_check(s3_server, s3_bucket):
    await s3_bucket.store().put("a", [b"x"])
    store = s3_bucket.store(s3_server.access(READER))
    assert await store.get("a") == b"x"
    with pytest.raises(Invalid, match="may not do that"):
        await store.check()


async def test_a_server_that_is_not_there_is_unavailable(s3_bucket):
    away = replace(s3_bucket.access, endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        await s3_bucket.store(away).check()


async def test_the_check_leaves_nothing(s3_bucket):
    store = s3_bucket.store()
    await store.check()
    assert list(await store.list("")) == []


async def test_a_large_object_goes_up_in_parts_and_comes_back(s3_bucket):
    access = replace(s3_bucket.access, parallel_above_bytes=1 << 20, part_bytes=5 << 20)
    store = s3_bucket.store(access)
    parts = [os.urandom(7_000_001), b"", memoryview(os.urandom(6_000_000)), b"end"]
    await store.put("large", parts)
    assert await store.get("large") == b"".join(parts)
    with pytest.raises(Conflict):
        await store.put("large", [b"x" * (2 << 20)])
    with pytest.raises(Conflict):
        await store.put("large", [b"x"])


def bucket_in_s3(s3_bucket) -> Bucket:
    client = connect(s3_bucket.uri, s3_bucket.access)

    def put(key: str, data: bytes) -> None:
        obstore.put(client, key, data, mode="create")

    return Bucket(file_system(s3_bucket.uri, s3_bucket.access), put, SMALL)


def test_the_reader_reads_a_bucket(s3_bucket):
    bucket = bucket_in_s3(s3_bucket)
    bucket.rows(20, (5, small_batch([1, 2, 3])))
    bucket.bundle()
    bucket.rows(21, (6, small_batch([4])))
    bucket.deletes((6, [2]))
    bucket.publish()
    snapshot = headrace.reader.open(s3_bucket.uri, "docs", access=s3_bucket.access)
    assert snapshot.to_table(["id"])["id"].to_pylist() == [1, 3, 4]
    assert snapshot.vectors("embedding").shape == (3, 4)
    assert sorted(snapshot.dataset().to_table()["id"].to_pylist()) == [1, 3, 4]


async def test_a_file_that_is_gone_from_a_bucket_says_what_to_do(s3_bucket):
    bucket = bucket_in_s3(s3_bucket)
    ref = bucket.rows(20, (5, small_batch([1])))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    await s3_bucket.store().delete([ref.key])
    with pytest.raises(Conflict, match="open the collection again"):
        snapshot.to_table()


def test_a_bucket_that_is_no_store_or_not_there_says_so(s3_bucket):
    with pytest.raises(NotFound, match="no list of collections"):
        headrace.reader.open(s3_bucket.uri, "docs", access=s3_bucket.access)
    with pytest.raises(Invalid, match="there is no such bucket"):
        headrace.reader.open("s3://nothing-there", "docs", access=s3_bucket.access)
