"""Automatic keys hash to the shard of their row and are given out once."""

import asyncio

import numpy as np
import pyarrow as pa
import pytest

from headrace.proxy.write.automatic_keys import AutomaticKeys
from headrace.proxy.write.key_hash import hash_keys, hash_rows, shards_of


class Leases:
    """Ranges of ids from 1 on."""

    def __init__(self) -> None:
        self.next = 1
        self.counts: list[int] = []

    async def lease(self, count: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        first, self.next = self.next, self.next + count
        self.counts.append(count)
        return first, count


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
async def test_a_key_hashes_to_the_shard_of_its_row(kind: pa.DataType) -> None:
    automatic = AutomaticKeys(kind, 3, Leases(), 1000)
    wanted = shards_of(hash_rows(b"request", 500), 3)
    keys = await automatic.take(wanted)
    assert keys.type == kind
    assert np.array_equal(shards_of(hash_keys(keys), 3), wanted)


async def test_no_key_is_given_twice_by_takes_under_way_together() -> None:
    leases = Leases()
    automatic = AutomaticKeys(pa.int64(), 2, leases, 100)
    taken = await asyncio.gather(
        *(automatic.take(shards_of(hash_rows(bytes([n]), 300), 2)) for n in range(8))
    )
    keys = [key for part in taken for key in part.to_pylist()]
    assert len(set(keys)) == len(keys) == 2400


async def test_a_lease_lasts_for_many_requests() -> None:
    leases = Leases()
    automatic = AutomaticKeys(pa.int64(), 2, leases, 10_000)
    for n in range(20):
        await automatic.take(shards_of(hash_rows(bytes([n]), 100), 2))
    assert leases.counts == [10_000]


async def test_a_request_for_one_shard_only_leases_until_it_has_enough() -> None:
    leases = Leases()
    automatic = AutomaticKeys(pa.int64(), 8, leases, 16)
    keys = await automatic.take(np.full(100, 5))
    assert set(shards_of(hash_keys(keys), 8).tolist()) == {5}
    assert len(leases.counts) > 1
