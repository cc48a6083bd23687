"""Automatic keys: taken from leased ranges of ids, each for the shard that it hashes to.

**Owns** the ids leased and not used yet. **Does not own** where they come from (the master service,
which never gives an id out again): what a crash loses is lost.

A row with an automatic key goes where (request id, row number) hashes, so that a repetition of its
request is cut in the same way; its key must hash there as well, since a delete or an upsert finds
it by the key. So the ids of a range are sorted by the shard that they hash to, and a row takes the
next one of its shard.
"""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.proxy.write.key_hash import Shards, hash_keys, shards_of

LeaseIds = Callable[[int], Awaitable[tuple[int, int]]]


class AutomaticKeys:
    """Keys of one type for collections of one number of shards."""

    def __init__(self, kind: pa.DataType, shards: int, lease: LeaseIds, leased_least: int) -> None:
        self._kind = kind
        self._shards = shards
        self._lease = lease
        self._leased_least = leased_least
        self._unused: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64) for _ in range(shards)]
        self._leasing = asyncio.Lock()

    async def take(self, shard_of_row: Shards) -> pa.Array:
        """A new key for every row that hashes to the row's shard; may wait for a lease."""
        wanted = np.bincount(shard_of_row, minlength=self._shards)
        while not self._enough(wanted):
            async with self._leasing:
                if not self._enough(wanted):
                    await self._more(int(wanted.sum()))
        ids = np.empty(len(shard_of_row), np.int64)
        for shard in range(self._shards):
            count = int(wanted[shard])
            ids[shard_of_row == shard] = self._unused[shard][:count]
            self._unused[shard] = self._unused[shard][count:]
        return pa.array(ids).cast(self._kind)

    def _enough(self, wanted: npt.NDArray[np.int64]) -> bool:
        return all(len(u) >= w for u, w in zip(self._unused, wanted, strict=True))

    async def _more(self, wanted: int) -> None:
        first, count = await self._lease(max(2 * wanted, self._leased_least))
        ids = np.arange(first, first + count, dtype=np.int64)
        shard_of_id = shards_of(hash_keys(pa.array(ids).cast(self._kind)), self._shards)
        for shard in range(self._shards):
            fresh = ids[shard_of_id == shard]
            self._unused[shard] = np.concatenate((self._unused[shard], fresh))
