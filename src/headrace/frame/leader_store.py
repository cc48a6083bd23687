"""The meta store in the hands of one leadership: every transaction compares the leader key.

**Owns** that comparison, and the difference between "something changed" and "replaced". **Does not
own** what is written.

A transaction that was not answered may have been done, may never be, or may be done later: its
caller reads what it compared, and finds its own mark there if it was done. Repeating the same
comparison is safe whatever became of the first attempt, since what it compared has changed if that
was done.
"""

from collections.abc import Sequence

from headrace.meta.api import Compare, MetaStore, ModRevisionIs, Operation, RangeResult
from headrace.model.errors import Fenced, Unavailable
from headrace.model.ids import Revision
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses, retry

_PAUSES = Pauses(first_s=0.05, most_s=1.0)


class NotLeading(Fenced):
    """Another process leads by now."""


class LeaderStore:
    """`store` is the meta store itself, for reads that are tried once."""

    def __init__(
        self, store: MetaStore, leader: ModRevisionIs, host: Host, pauses: Pauses = _PAUSES
    ) -> None:
        self.store = store
        self.leader = leader
        self._host = host
        self._pauses = pauses
        self._backoff = Backoff(host, pauses)

    async def get(self, key: str) -> RangeResult:
        """One key, linearizably; repeated until the store answers."""
        return await retry(lambda: self.store.get(key), self._host, pauses=self._pauses)

    async def range(self, prefix: str) -> RangeResult:
        """All keys that begin with the prefix; repeated until the store answers."""
        return await retry(lambda: self.store.range(prefix), self._host, pauses=self._pauses)

    async def txn(
        self, compare: Sequence[Compare], operations: Sequence[Operation]
    ) -> Revision | None:
        """The revision at which it was done, or None: something that it compares has changed.

        `NotLeading` when this process no longer leads; `Unavailable` when the outcome is not known.
        """
        result = await self.store.txn([self.leader, *compare], operations)
        if result.succeeded:
            return result.revision
        if not await self._leads():
            role = self.leader.key.rpartition("/")[2]
            raise NotLeading(f"another process leads the {role}")
        return None

    async def commit(
        self, compare: Sequence[Compare], operations: Sequence[Operation]
    ) -> Revision | None:
        """As `txn`, but None also when the outcome is not known; then it has waited, so that
        callers may loop."""
        try:
            revision = await self.txn(compare, operations)
        except Unavailable:
            await self._host.clock.sleep(self._backoff.next_s())
            return None
        self._backoff.reset()
        return revision

    async def _leads(self) -> bool:
        try:
            found = (await self.store.get(self.leader.key)).first
        except Unavailable:
            return True  # not known: the next transaction tells
        return found is not None and found.mod_revision == self.leader.revision
