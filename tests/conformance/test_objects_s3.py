"""What a real S3 server makes of trouble, and the reader on a bucket."""

import asyncio
import contextlib
import os
import subprocess
import sys
from dataclasses import replace

import obstore
import pytest
from support.servers.s3 import s3_bucket, s3_server, s3_trouble
from support.servers.s3_trouble import Trouble
from support.values.rows import SMALL, small_batch
from support.world.bucket import Bucket

import headrace.reader
from headrace.app.servers.nats import free_port
from headrace.app.servers.s3 import READER
from headrace.model.errors import Conflict, Invalid, NotFound, Unavailable
from headrace.objects import s3
from headrace.objects.arrow_files import file_system
from headrace.objects.s3 import S3Objects
from headrace.objects.s3_access import S3Access, connect
from headrace.reader import snippets
from headrace.runtime.host import real_host

__all__ = ["s3_bucket", "s3_server", "s3_trouble"]  # fixtures


LARGE_KEY = "insert/1/2/3/4-5.parquet"
CLOCKS = "the clocks of this machine and of the server differ"


async def test_wrong_credentials_are_said_at_the_check(s3_bucket):
    secret = replace(s3_bucket.access, secret_access_key="wrong")
    with pytest.raises(Invalid, match=r"s3://headrace/.*: the secret access key is wrong"):
        await s3_bucket.store(secret).check()
    nobody = replace(s3_bucket.access, access_key_id="nobody")
    with pytest.raises(Invalid, match=r"key id is unknown: set objects\.access_key_id"):
        await s3_bucket.store(nobody).check()


async def test_a_missing_bucket_is_said_at_the_check(s3_bucket):
    store = S3Objects("s3://nothing-there/x", s3_bucket.access, host=real_host())
    with pytest.raises(Invalid, match=r"there is no such bucket: .*objects\.uri"):
        await store.check()


async def test_credentials_that_may_only_read_are_said_at_the_check(s3_server, s3_bucket):
    await s3_bucket.store().put("a", [b"x"])
    store = s3_bucket.store(s3_server.access(READER))
    assert await store.get("a") == b"x"
    with pytest.raises(Invalid, match="these credentials may not write there: give them"):
        await store.check()


async def test_a_server_that_is_not_there_is_unavailable(s3_bucket):
    away = replace(s3_bucket.access, endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match=r"Connection refused.*objects\.endpoint"):
        await s3_bucket.store(away).check()
    nameless = replace(s3_bucket.access, endpoint="http://nobody.invalid:9000")
    with pytest.raises(Unavailable, match=r"no connection .*objects\.endpoint"):
        await s3_bucket.store(nameless).check()


async def test_a_server_that_says_nothing_is_unavailable_before_long(
    s3_bucket, s3_trouble, monkeypatch
):
    monkeypatch.setattr(s3, "CHECK_S", 0.2)
    store = s3_bucket.store(replace(s3_bucket.access, endpoint=s3_trouble.endpoint))
    with (
        s3_trouble.trouble(Trouble(swallowed=True)),
        pytest.raises(Unavailable, match=r"no answer in .*objects\.endpoint"),
    ):
        await store.check()


async def test_a_server_without_tls_is_told_from_one_that_is_away(s3_bucket):
    endpoint = s3_bucket.access.endpoint.replace("http:", "https:")
    with pytest.raises(Unavailable, match=r"does not speak TLS"):
        await s3_bucket.store(replace(s3_bucket.access, endpoint=endpoint)).check()


async def test_credentials_of_the_environment_are_taken_and_those_of_the_settings_come_first(
    s3_bucket, monkeypatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_bucket.access.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_bucket.access.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_bucket.access.endpoint)
    await s3_bucket.store(S3Access()).check()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "nothing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://nobody.invalid:9000")
    await s3_bucket.store().check()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("AuthorizationHeaderMalformed", r"the region is wrong: set objects\.region"),
        ("PermanentRedirect", r"the bucket is in another region: set objects\.region"),
        ("RequestTimeTooSkewed", CLOCKS),
        ("ExpiredToken", r"the session token has expired: set objects\.session_token"),
    ],
)
async def test_what_this_server_does_not_mind_and_others_do_is_said_at_the_check(
    s3_bucket, s3_trouble, code, sentence
):
    store = s3_bucket.store(replace(s3_bucket.access, endpoint=s3_trouble.endpoint))
    await store.check()
    with (
        s3_trouble.trouble(Trouble(status=400, code=code)),
        pytest.raises(Invalid, match=sentence),
    ):
        await store.check()


async def test_the_check_leaves_nothing(s3_bucket):
    store = s3_bucket.store()
    await store.check()
    assert list(await store.list("")) == []


async def test_a_large_data_file_goes_up_in_parts_and_comes_back(s3_bucket, s3_trouble):
    store = s3_bucket.store(in_parts(s3_bucket, s3_trouble))
    parts = [os.urandom(7_000_001), b"", memoryview(os.urandom(6_000_000)), b"end"]
    await store.put(LARGE_KEY, parts)
    assert await store.get(LARGE_KEY) == b"".join(parts)
    assert sum("partNumber=" in path for _, path in s3_trouble.calls) == 3
    with pytest.raises(Conflict):
        await store.put(LARGE_KEY, [b"x" * (2 << 20)])
    with pytest.raises(Conflict):
        await store.put(LARGE_KEY, [b"x"])


async def test_what_several_may_write_is_one_conditional_put_at_any_size(s3_bucket, s3_trouble):
    store = s3_bucket.store(in_parts(s3_bucket, s3_trouble))
    key, large = "manifests/1/00000000000000000001.json", b"x" * (7 << 20)
    await store.put(key, [large])
    with pytest.raises(Conflict):
        await store.put(key, [b"y", large])
    assert await store.get(key) == large
    puts = [path for method, path in s3_trouble.calls if method != "GET"]
    assert not any("upload" in path for path in puts)


async def test_a_put_in_parts_that_comes_late_changes_nothing(s3_bucket, s3_trouble):
    """The race that a condition would forbid: both have looked for the key and found none."""
    data = os.urandom(6 << 20)
    with s3_trouble.trouble(Trouble(pause_s=0.5), "POST"):
        first, second = await asyncio.gather(
            *(
                s3_bucket.store(in_parts(s3_bucket, s3_trouble)).put(LARGE_KEY, [data])
                for _ in range(2)
            ),
            return_exceptions=True,
        )
    assert first is None or second is None
    assert await s3_bucket.store().get(LARGE_KEY) == data


@pytest.mark.parametrize("key", ["a", LARGE_KEY])
async def test_bytes_that_change_on_the_way_are_refused_and_nothing_stands(
    s3_bucket, s3_trouble, key
):
    store = s3_bucket.store(in_parts(s3_bucket, s3_trouble))
    with s3_trouble.trouble(Trouble(flipped=True), "PUT"), pytest.raises(Unavailable):
        await store.put(key, [os.urandom(6 << 20)])
    with pytest.raises(NotFound):
        await store.get(key)
    await store.put(key, [b"right"])
    assert await store.get(key) == b"right"


@pytest.mark.parametrize("key", ["a", LARGE_KEY])
@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(refused=True),
        Trouble(status=500),
        Trouble(status=503, code="SlowDown"),
        Trouble(status=507, code="XMinioStorageFull"),
        Trouble(swallowed=True),
        Trouble(unanswered=True),
    ],
    ids=["reset", "500", "503", "full", "no answer", "answer lost"],
)
async def test_a_server_in_trouble_is_unavailable_and_the_put_can_be_repeated(
    s3_bucket, s3_trouble, key, trouble
):
    store = s3_bucket.store(replace(in_parts(s3_bucket, s3_trouble), timeout_s=1.0))
    data = os.urandom(6 << 20)
    with s3_trouble.trouble(trouble), pytest.raises(Unavailable):
        await store.put(key, [data])
    with contextlib.suppress(Conflict):
        await store.put(key, [data])
    assert await store.get(key) == data


def in_parts(s3_bucket, s3_trouble) -> S3Access:
    """Through the proxy; above 1 MB in parts of 5 MB."""
    return replace(
        s3_bucket.access,
        endpoint=s3_trouble.endpoint,
        parallel_above_bytes=1 << 20,
        part_bytes=5 << 20,
    )


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


@pytest.mark.parametrize("deletes", [(), ((6, [2]), (7, [4]))], ids=["none", "some"])
def test_the_lines_for_other_tools_take_a_bucket_from_the_environment(
    s3_bucket, monkeypatch, deletes
):
    bucket = bucket_in_s3(s3_bucket)
    bucket.rows(20, (5, small_batch([1, 2, 3])))
    bucket.rows(21, (6, small_batch([4, 5])))
    if deletes:
        bucket.deletes(*deletes)
    bucket.publish()
    access = s3_bucket.access
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", access.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", access.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    snapshot = headrace.reader.open(s3_bucket.uri, "docs")
    ids = snapshot.to_table(["id"])["id"].to_pylist()
    for program in (snippets.polars_program, snippets.pyarrow_program):
        text = program(snapshot, s3_bucket.uri)
        assert access.secret_access_key not in text
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
        assert done.stdout.split() == [str(len(ids)), str(sum(ids))], done.stderr


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
