"""The meta store in the hands of one leadership: every transaction compares the leader key.

**Owns** that comparison, and the difference between "something changed" and "replaced". **Does not
own** what is written. An unknown outcome is `Unavailable`: the caller reads what it compared.
"""

from collections.abc import Sequence

from headrace.meta.api import Compare, MetaStore, ModRevisionIs, Operation
from headrace.model.errors import Fenced, Unavailable
from headrace.model.ids import Revision


class NotLeading(Fenced):
    """Another process leads the data service by now."""


class LeaderMeta:
    """See the module. Reads go to `store` itself."""

    def __init__(self, store: MetaStore, leader: ModRevisionIs) -> None:
        self.store = store
        self.leader = leader

    async def txn(
        self, compare: Sequence[Compare], operations: Sequence[Operation]
    ) -> Revision | None:
        """The revision at which it was done, or None: something that it compares has changed.

        `NotLeading` when this process no longer leads; `Unavailable` when nobody knows.
        """
        result = await self.store.txn([self.leader, *compare], operations)
        if result.succeeded:
            return result.revision
        if not await self._leads():
            raise NotLeading("this process no longer leads the data service")
        return None

    async def _leads(self) -> bool:
        try:
            found = (await self.store.get(self.leader.key)).first
        except Unavailable:
            return True  # not known: the next transaction tells
        return found is not None and found.mod_revision == self.leader.revision
