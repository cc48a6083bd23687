"""A copy of one directory of the meta store, kept by watch.

**Owns** listing, watching from the next revision on, and listing anew when the store has compacted
what was to come. **Does not own** truth: the copy lags, so whoever is about to refuse something
because of it reads the store itself first.
"""

from typing import Generic, TypeVar

from headrace.meta.api import Compacted, KeyValue, MetaStore, PutEvent
from headrace.model.codec import decode
from headrace.model.errors import Unavailable
from headrace.proxy.waiting import Changes
from headrace.runtime.host import Clock

T = TypeVar("T")

RETRY_S = 0.5


class Watched(Generic[T]):
    """Values by key below `prefix`, decoded as `kind`; `changes` tells of every new state."""

    def __init__(self, meta: MetaStore, prefix: str, kind: type[T], clock: Clock) -> None:
        self.items: dict[str, T] = {}
        self.changes = Changes()
        self.listed = False
        self._meta = meta
        self._prefix = prefix
        self._kind = kind
        self._clock = clock
        self._revisions: dict[str, int] = {}
        self._floor = 0  # everything at or below this revision is in the copy

    async def run(self) -> None:
        """Keep the copy for ever; trouble of the store is waited out."""
        while True:
            try:
                await self._list()
                async for batch in self._meta.watch(self._prefix, start=self._floor + 1):
                    for event in batch.events:
                        if isinstance(event, PutEvent):
                            self._put(event.item)
                        else:
                            self._remove(event.key, event.mod_revision)
                    self._floor = max(self._floor, batch.revision)
                    self.changes.announce()
            except Compacted:
                continue
            except Unavailable:
                await self._clock.sleep(RETRY_S)

    def learn(self, item: KeyValue) -> T:
        """Take over what was read elsewhere, unless the copy is newer; the newer of the two."""
        self._put(item)
        self.changes.announce()
        return self.items.get(item.key) or decode(item.value, self._kind, item.key)

    def forget(self, key: str, revision: int) -> None:
        """Take over that a key was absent at a revision."""
        self._remove(key, revision)
        self.changes.announce()

    async def _list(self) -> None:
        found = await self._meta.range(self._prefix)
        present = {item.key for item in found.items}
        for key in [k for k in self.items if k not in present]:
            self._remove(key, found.revision)
        for item in found.items:
            self._put(item)
        self._floor = found.revision
        self.listed = True
        self.changes.announce()

    def _put(self, item: KeyValue) -> None:
        if item.mod_revision > self._revisions.get(item.key, 0):
            self.items[item.key] = decode(item.value, self._kind, item.key)
            self._revisions[item.key] = item.mod_revision

    def _remove(self, key: str, revision: int) -> None:
        if revision >= self._revisions.get(key, 0) and key in self.items:
            del self.items[key]
            self._revisions[key] = revision
