"""A store is one cluster's, and a cluster writes to one store, whichever process dies during the
marking."""

import random

import pytest

from headrace.app.ownership import own_store
from headrace.binlog.paths import OWNER_KEY
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.model.errors import Corrupt, Invalid, Unavailable
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.runtime.host import Host, RealClock, ThreadOffload

KEYS = Keys()


@pytest.fixture
def host():
    return Host(RealClock(), ThreadOffload(), random.Random(7))


def a_meta(host):
    return MemoryMetaServer(host.clock).client("test")


def a_store(host):
    return MemoryObjects(MemoryBucket(host.clock))


async def test_a_cluster_starts_again_and_again_on_its_store(host):
    meta, objects = a_meta(host), a_store(host)
    for _ in range(3):
        await own_store(meta, KEYS, objects, host)


async def test_another_cluster_is_refused(host):
    objects = a_store(host)
    await own_store(a_meta(host), KEYS, objects, host)
    other = a_meta(host)
    for _ in range(2):
        with pytest.raises(Invalid, match="belongs to another cluster"):
            await own_store(other, KEYS, objects, host)


async def test_two_clusters_in_one_meta_store_have_stores_of_their_own(host):
    meta, objects = a_meta(host), a_store(host)
    await own_store(meta, KEYS, objects, host)
    with pytest.raises(Invalid, match="belongs to another cluster"):
        await own_store(meta, Keys("second"), objects, host)
    await own_store(meta, Keys("second"), a_store(host), host)


async def test_a_cluster_is_refused_on_an_empty_store_once_it_has_one(host):
    meta = a_meta(host)
    await own_store(meta, KEYS, a_store(host), host)
    with pytest.raises(Invalid, match="is not the one that this cluster writes to"):
        await own_store(meta, KEYS, a_store(host), host)


async def test_a_cluster_is_refused_on_the_store_of_another(host):
    meta, objects = a_meta(host), a_store(host)
    await own_store(a_meta(host), KEYS, objects, host)
    await own_store(meta, KEYS, a_store(host), host)
    with pytest.raises(Invalid, match="belongs to another cluster"):
        await own_store(meta, KEYS, objects, host)


class Dying:
    """An edge that answers nothing any more after so many calls."""

    def __init__(self, edge, left):
        self.edge, self.left, self.uri = edge, left, "memory://dying"

    def __getattr__(self, name):
        async def call(*given):
            if self.left["calls"] == 0:
                raise Unavailable("killed")
            self.left["calls"] -= 1
            return await getattr(self.edge, name)(*given)

        return call


async def test_whoever_dies_between_two_steps_is_followed_by_one_that_goes_on(host):
    for calls in range(6):
        meta, objects, left = a_meta(host), a_store(host), {"calls": calls}
        with pytest.raises(Unavailable):
            await own_store(Dying(meta, left), KEYS, Dying(objects, left), host)
        await own_store(meta, KEYS, objects, host)
        await own_store(meta, KEYS, objects, host)


async def test_a_mark_that_is_not_ours_is_named(host):
    objects = a_store(host)
    await objects.put(OWNER_KEY, [b"hello"])
    with pytest.raises(Corrupt, match=r"owner\.json"):
        await own_store(a_meta(host), KEYS, objects, host)
