"""The store in memory answers like etcd, operation by operation, on random histories."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace.app.servers.etcd import NO_FSYNC, EtcdServer
from headrace.meta.api import (
    Compacted,
    Compare,
    Delete,
    MetaStore,
    ModRevisionIs,
    Operation,
    Put,
    PutEvent,
    ValueIs,
    WatchBatch,
)
from headrace.meta.etcd import EtcdMeta
from headrace.meta.etcd_connections import EtcdAccess
from headrace.meta.memory import MemoryMetaServer
from headrace.model.errors import Conflict
from headrace.runtime.host import RealClock, real_host

KEYS = [f"k/{a}{b}" for a in "ab" for b in ("", "/1", "/2", "0")]
PREFIXES = ["k/", "k/a", "k/a/", "k/b/"]


class Story:
    """A random history, told to a store; the same seed tells the same to each."""

    def __init__(self, seed: int, store: MetaStore) -> None:
        self.answers: list[Any] = []
        self._chance = random.Random(seed)
        self._store = store
        self._leases: list[int] = []
        self._revision = 1
        self._seen: dict[str, int] = {}

    async def tell(self, steps: int) -> None:
        """Do that many things, note every answer."""
        for _ in range(steps):
            what = self._chance.choices(
                [self._txn, self._get, self._range, self._grant, self._revoke, self._keep],
                [10, 3, 3, 1, 1, 1],
            )[0]
            try:
                self.answers.append(await what())
            except (Conflict, Compacted) as error:
                self.answers.append(type(error))

    async def _txn(self) -> Any:
        operations = self._operations()
        compare = [self._compare() for _ in range(self._chance.randrange(3))]
        result = await self._store.txn(compare, operations)
        if result.succeeded:
            self._revision = max(self._revision, result.revision)
            for operation in operations:
                self._seen[operation.key] = result.revision
        return result

    def _operations(self) -> list[Operation]:
        chosen: list[Operation] = []
        free = list(KEYS)
        self._chance.shuffle(free)
        for key in free[: self._chance.randrange(5)]:
            if self._chance.random() < 0.7:
                lease = self._chance.choice([0, *self._leases]) if self._leases else 0
                chosen.append(Put(key, bytes([self._chance.randrange(3)]), lease))
            else:
                chosen.append(Delete(key))
        if self._chance.random() < 0.2:
            prefix = self._chance.choice(PREFIXES)
            chosen = [o for o in chosen if not o.key.startswith(prefix)]
            chosen.append(Delete(prefix, prefix=True))
        return chosen

    def _compare(self) -> Compare:
        key = self._chance.choice(KEYS)
        if self._chance.random() < 0.3:
            return ValueIs(key, bytes([self._chance.randrange(3)]))
        return ModRevisionIs(key, self._chance.choice([0, self._seen.get(key, 0)]))

    def _at(self) -> int:
        return self._chance.choice([0, self._chance.randint(1, self._revision)])

    async def _get(self) -> Any:
        return self._without_leases(
            await self._store.get(self._chance.choice(KEYS), revision=self._at())
        )

    async def _range(self) -> Any:
        return self._without_leases(
            await self._store.range(self._chance.choice(PREFIXES), revision=self._at())
        )

    async def _grant(self) -> Any:
        self._leases.append(await self._store.grant(600))

    async def _revoke(self) -> Any:
        if self._leases:
            await self._store.revoke(self._chance.choice(self._leases))

    async def _keep(self) -> Any:
        if self._leases:
            return await self._store.keep_alive(self._chance.choice(self._leases))
        return None

    def _without_leases(self, result: Any) -> Any:
        return result.revision, [self.item(kv) for kv in result.items]

    def item(self, kv: Any) -> tuple[Any, ...]:
        """A key as it stands; ids of leases differ from store to store, their order does not."""
        lease = self._leases.index(kv.lease) if kv.lease else -1
        return kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, lease

    def batch(self, batch: WatchBatch) -> Any:
        """The same for a batch."""
        return batch.revision, [
            self.item(e.item) if isinstance(e, PutEvent) else (e.key, e.mod_revision)
            for e in batch.events
        ]


@pytest.fixture
async def empty_etcd(tmp_path: Path) -> AsyncIterator[EtcdMeta]:
    """A store of its own, so that revisions begin at 1."""
    server = EtcdServer(tmp_path / "etcd", flags=(NO_FSYNC,))
    await server.start()
    meta = EtcdMeta(EtcdAccess(endpoints=(server.endpoint,)), real_host())
    yield meta
    await meta.close()
    await server.stop()


@pytest.mark.parametrize("seed", range(3))
async def test_answers_and_changes_are_the_same(empty_etcd: EtcdMeta, seed: int) -> None:
    memory = MemoryMetaServer(RealClock())
    stories = [Story(seed, empty_etcd), Story(seed, memory.client())]
    for story in stories:
        await story.tell(600)
    assert stories[0].answers == stories[1].answers
    final = memory.revision
    for prefix in PREFIXES:
        changes, _ = memory.changes(prefix, 1)
        expected = [stories[1].batch(batch) for batch in changes]
        watch = empty_etcd.watch(prefix, start=1)
        async with asyncio.timeout(10):
            seen = [stories[0].batch(await anext(watch)) for _ in expected]
        await watch.aclose()
        assert seen == expected
    half = final // 2
    memory.compact(half)
    await empty_etcd.compact(half)
    for story in stories:
        await story.tell(200)
    assert stories[0].answers == stories[1].answers
