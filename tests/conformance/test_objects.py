"""What every object store does: the contract of `headrace.objects.api`, on every adapter."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.servers.s3 import s3_bucket, s3_server
from support.world.clock import ManualClock

from headrace.model.errors import Conflict, Invalid, NotFound
from headrace.objects.api import ObjectStore
from headrace.objects.local import LocalObjects
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.runtime.host import real_host

__all__ = ["s3_bucket", "s3_server"]  # fixtures


@pytest.fixture(params=["memory", "local", "s3"])
async def store(request, tmp_path) -> AsyncIterator[ObjectStore]:
    made: ObjectStore
    if request.param == "memory":
        made = MemoryObjects(MemoryBucket(ManualClock()))
    elif request.param == "s3":
        made = request.getfixturevalue("s3_bucket").store()
    else:
        made = LocalObjects(tmp_path, host=real_host())
    yield made
    await made.close()


async def keys(store: ObjectStore, prefix: str = "", after: str = "") -> list[str]:
    return [info.key for info in await store.list(prefix, after=after)]


async def test_a_fresh_store_passes_the_check_and_stays_empty(store):
    await store.check()
    await store.check()
    assert await keys(store) == []


async def test_parts_are_joined_in_their_order(store):
    parts = [b"one", memoryview(b"-two-"), b"", memoryview(bytearray(b"three"))]
    await store.put("a/b.bin", parts)
    assert await store.get("a/b.bin") == b"one-two-three"


async def test_an_object_may_be_empty(store):
    await store.put("empty", [])
    assert await store.get("empty") == b""
    assert (await store.list(""))[0].size_bytes == 0


async def test_an_object_of_thousands_of_parts_and_of_many_megabytes_comes_back(store):
    parts = [bytes([n % 256]) * 2000 for n in range(5000)]
    await store.put("large", parts)
    assert await store.get("large") == b"".join(parts)


async def test_a_key_that_exists_is_never_overwritten(store):
    await store.put("a", [b"first"])
    with pytest.raises(Conflict, match="a exists"):
        await store.put("a", [b"second"])
    assert await store.get("a") == b"first"


async def test_of_many_who_put_one_key_exactly_one_wins(store):
    async def attempt(n: int) -> int | None:
        try:
            await store.put("deep/er/race", [bytes([n]) * 1000])
        except Conflict:
            return None
        return n

    winners = [n for n in await asyncio.gather(*map(attempt, range(16))) if n is not None]
    assert len(winners) == 1
    assert await store.get("deep/er/race") == bytes(winners) * 1000


async def test_what_is_absent_is_not_found(store):
    await store.put("a/b", [b"x"])
    for key in ("nothing", "a", "a/b/c"):
        with pytest.raises(NotFound):
            await store.get(key)
        with pytest.raises(NotFound):
            await store.get_range(key, 0, 1)


async def test_a_range_is_read_from_either_end(store):
    await store.put("a", [b"0123456789"])
    assert await store.get_range("a", 3, 4) == b"3456"
    assert await store.get_range("a", -4, 2) == b"67"
    assert await store.get_range("a", -4, 4) == b"6789"


async def test_a_range_ends_where_the_object_ends(store):
    await store.put("a", [b"0123456789"])
    assert await store.get_range("a", 8, 100) == b"89"
    assert await store.get_range("a", -100, 100) == b"0123456789"


async def test_a_list_is_in_the_order_of_keys_and_has_sizes(store):
    names = ["a/b", "a-b", "a.b", "a/b/c", "ab", "b/0", "a/0", "A"]
    for n, name in enumerate(names):
        if name != "a/b/c":  # on a disk `a/b` cannot be a file and a folder
            await store.put(name, [b"x" * n])
    infos = await store.list("")
    assert [i.key for i in infos] == sorted(set(names) - {"a/b/c"})
    assert {i.key: i.size_bytes for i in infos}["b/0"] == 5


async def test_a_list_has_only_what_begins_with_the_prefix_and_comes_after(store):
    for name in ("s/1/03", "s/1/01", "s/1/02", "s/10/01", "s/2/01", "t"):
        await store.put(name, [b"x"])
    assert await keys(store, "s/1/") == ["s/1/01", "s/1/02", "s/1/03"]
    assert await keys(store, "s/1") == ["s/1/01", "s/1/02", "s/1/03", "s/10/01"]
    assert await keys(store, "s/1/", after="s/1/01") == ["s/1/02", "s/1/03"]
    assert await keys(store, "s/1/", after="s/1/03") == []
    assert await keys(store, "s/1/0", after="s/0") == ["s/1/01", "s/1/02", "s/1/03"]
    assert await keys(store, "none/") == []


async def test_what_is_deleted_is_gone_and_its_key_is_free(store):
    for name in ("x/1/a", "x/1/b", "x/2/a"):
        await store.put(name, [b"x"])
    await store.delete(["x/1/a", "x/2/a"])
    assert await keys(store) == ["x/1/b"]
    await store.put("x/2/a", [b"anew"])
    assert await store.get("x/2/a") == b"anew"


async def test_to_delete_what_is_absent_is_no_error(store):
    await store.put("x/1", [b"x"])
    await store.delete(["x/2", "nothing", "x/1/below", "x/1", "x/1"])
    assert await keys(store) == []


async def test_folders_that_empty_while_objects_come_disturb_no_put(store):
    async def come_and_go(n: int) -> None:
        for turn in range(20):
            await store.put(f"f/g/{n}-{turn}", [b"x"])
            await store.delete([f"f/g/{n}-{turn}"])

    await asyncio.gather(*map(come_and_go, range(4)))
    assert await keys(store) == []


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".a", "a\\b", "a b", "ä", "a" * 600]
)
async def test_texts_that_are_no_keys_are_refused(store, key):
    with pytest.raises(Invalid, match="not an object key"):
        await store.put(key, [b"x"])
    with pytest.raises(Invalid):
        await store.get(key)
    with pytest.raises(Invalid):
        await store.delete([key])


async def test_an_object_says_when_it_was_stored(store):
    await store.put("a", [b"x"])
    await store.put("b", [b"x"])
    first, second = await store.list("")
    assert 1_500_000_000_000 < first.modified_ms <= second.modified_ms


async def test_the_uri_names_the_kind_of_store(store):
    assert store.uri.split("://")[0] in {"memory", "file", "s3"}
