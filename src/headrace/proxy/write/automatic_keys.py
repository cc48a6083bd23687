"""Automatic keys: taken from leased ranges of ids, each for the shard that it hashes to.

The master service never gives an id out again; ids that a crash loses are lost. A row with an
automatic key goes where (request id, row number) hashes, so that a repetition of its request is cut
in the same way; its key must hash there as well, since a delete or an upsert finds it by the key.
So the ids of a range are sorted by the shard that they hash to, and a row takes the next one of its
shard.
"""

import asyncio
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.binlog.columns import key_type
from headrace.meta.records import CollectionRecord, Role
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.settings import ProxySurroundings
from headrace.proxy.write.key_hash import Shards, hash_keys, shards_of
from headrace.rpc.messages import AllocIdsRequest, AllocIdsResponse


class IdLeases(Protocol):
    """Where ranges of ids come from."""

    async def lease(self, count: int) -> tuple[int, int]:
        """The first id and how many follow each other; at least one."""
        ...


class AutomaticKeys:
    """Keys of one type for collections of one number of shards."""

    def __init__(self, kind: pa.DataType, shards: int, leases: IdLeases, leased_least: int) -> None:
        self._kind = kind
        self._shards = shards
        self._leases = leases
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
        first, count = await self._leases.lease(max(2 * wanted, self._leased_least))
        ids = np.arange(first, first + count, dtype=np.int64)
        shard_of_id = shards_of(hash_keys(pa.array(ids).cast(self._kind)), self._shards)
        for shard in range(self._shards):
            added = ids[shard_of_id == shard]
            self._unused[shard] = np.concatenate((self._unused[shard], added))


class AllAutomaticKeys:
    """The automatic keys of every collection, from ids that the master service leases."""

    def __init__(self, around: ProxySurroundings, leaders: Leaders) -> None:
        self._leaders = leaders
        self._clock = around.host.clock
        self._settings = around.settings
        self._keys: dict[tuple[str, int], AutomaticKeys] = {}

    async def take(self, record: CollectionRecord, shard_of_row: Shards) -> pa.Array:
        """A new key of the collection's type for every row."""
        kind, shards = key_type(record.schema), len(record.vchannels)
        place = (str(kind), shards)
        if place not in self._keys:
            self._keys[place] = AutomaticKeys(kind, shards, self, self._settings.keys_leased)
        return await self._keys[place].take(shard_of_row)

    async def lease(self, count: int) -> tuple[int, int]:
        """A range of ids; takes its time from no client, since others may use the range, too."""
        deadline = self._clock.monotonic() + self._settings.append_timeout_s
        call = ClientCall(method="AllocIds", clock=self._clock, deadline=deadline)
        answer: AllocIdsResponse = await self._leaders.call(
            Role.MASTER_SERVICE, AllocIdsRequest(count), call
        )
        return answer.first, answer.count
