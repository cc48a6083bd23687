"""Transactions of a leader: each compares the leader key and what was read for it.

**Owns** the comparison with the leader key, and the difference between "not done" and "replaced".
**Does not own** what is written (`shell`, `recording`, `load`, `tombstones`).

A transaction that was not answered may have been done, may never be, or may be done later. So
`commit` answers None for all that is not known to be done, and its callers read what they compared:
their own mark there means done. Repeating the same comparison is safe whatever became of the first
attempt, since what it compared has changed if that was done.
"""

from collections.abc import Sequence

from headrace.meta.api import (
    Compare,
    MetaStore,
    ModRevisionIs,
    Operation,
    RangeResult,
)
from headrace.model.errors import Fenced, Unavailable
from headrace.model.ids import Revision
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses, retry


class LeaderStore:
    """The meta store in the hands of one leadership."""

    def __init__(self, meta: MetaStore, leads: ModRevisionIs, host: Host, pauses: Pauses) -> None:
        self._meta = meta
        self._leads = leads
        self._host = host
        self._pauses = pauses
        self._backoff = Backoff(host, pauses)

    async def get(self, key: str) -> RangeResult:
        """One key, linearizably; repeated until the store answers."""
        return await retry(lambda: self._meta.get(key), self._host, pauses=self._pauses)

    async def get_once(self, key: str) -> RangeResult:
        """One key, linearizably; `Unavailable` when the store does not answer."""
        return await self._meta.get(key)

    async def range(self, prefix: str) -> RangeResult:
        """All keys that begin with the prefix; repeated until the store answers."""
        return await retry(lambda: self._meta.range(prefix), self._host, pauses=self._pauses)

    async def commit(
        self, compare: Sequence[Compare], operations: Sequence[Operation]
    ) -> Revision | None:
        """The revision at which it was done, or None: not known to be done, read what was compared.

        `Fenced` when this process does not lead any more. After an unknown outcome it waits before
        it returns, so that callers may simply loop.
        """
        try:
            revision = await self.commit_once(compare, operations)
        except Unavailable:
            await self._host.clock.sleep(self._backoff.next_s())
            return None
        self._backoff.reset()
        return revision

    async def commit_once(
        self, compare: Sequence[Compare], operations: Sequence[Operation]
    ) -> Revision | None:
        """As `commit`, but None says that it was surely not done by this attempt, and an unknown
        outcome is `Unavailable`."""
        result = await self._meta.txn([self._leads, *compare], operations)
        if result.succeeded:
            return result.revision
        found = (await self._meta.get(self._leads.key)).first
        if found is None or found.mod_revision != self._leads.revision:
            raise Fenced("another process leads the master service")
        return None
