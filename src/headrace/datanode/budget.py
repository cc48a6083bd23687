"""Sums the bytes that all flowgraphs of a node hold, so that its memory stays bounded.

Credit is taken before a fetch (`consume.reading`), so memory is bounded before the bytes are there.
A message counts whole as long as one row of it is in a buffer, because it stays whole in memory
that long. What is being written becomes free by itself: `waiting_bytes` leaves it out, so that
memory pressure does not cut the same buffers again and again while the object store is away.
Objects that are stored and not yet reported have a limit of their own.
"""

from collections.abc import Hashable, Iterable

from headrace.datanode.handoff import HeldMessage
from headrace.datanode.settings import DataNodeSettings

RELIEVED = 4  # memory is relieved to a quarter below the soft mark


class Budget:
    """The sums of one node. All sizes are bytes."""

    def __init__(self, hard_bytes: int, soft_bytes: int, unreported_most: int) -> None:
        self.hard_bytes = hard_bytes
        self.soft_bytes = soft_bytes
        self.unreported_most = unreported_most
        self.credit_bytes = 0
        self.message_bytes = 0
        self.waiting_bytes = 0
        self.writing_bytes = 0
        self.unreported_bytes = 0
        self._writing: dict[Hashable, tuple[tuple[HeldMessage, ...], int]] = {}  # and its bytes

    @classmethod
    def of(cls, settings: DataNodeSettings) -> "Budget":
        """The budget that these settings mean."""
        soft = round(settings.budget_bytes * settings.budget_soft_share)
        return cls(settings.budget_bytes, soft, settings.unreported_bytes_most)

    @property
    def used_bytes(self) -> int:
        """What counts against the budget."""
        return self.credit_bytes + self.message_bytes + self.writing_bytes

    @property
    def free_bytes(self) -> int:
        """Up to the hard mark; negative above it."""
        return self.hard_bytes - self.used_bytes

    @property
    def pressed(self) -> bool:
        """Above the soft mark, what is being written not counted."""
        return self.waiting_bytes > self.soft_bytes

    @property
    def relieved(self) -> bool:
        """So far below the soft mark that pressure does not come back with the next message."""
        return self.waiting_bytes * RELIEVED <= self.soft_bytes * (RELIEVED - 1)

    @property
    def may_store(self) -> bool:
        """Whether the limit of stored, unreported bytes leaves room for another sync."""
        return self.unreported_bytes < self.unreported_most

    # ---- fetches -----------------------------------------------------------------------------

    def lend(self, credit_bytes: int) -> None:
        """A fetch begins."""
        self.credit_bytes += credit_bytes

    def give_back(self, credit_bytes: int) -> None:
        """A fetch has ended; what it brought is counted by `hold`."""
        self.credit_bytes -= credit_bytes
        assert self.credit_bytes >= 0, "more credit came back than was lent"

    # ---- messages ----------------------------------------------------------------------------

    def hold(self, message: HeldMessage) -> None:
        """One more chunk looks into a message, and waits in a buffer."""
        if message.holders == 0:
            self.message_bytes += message.size_bytes
        if message.waiting == 0:
            self.waiting_bytes += message.size_bytes
        message.holders += 1
        message.waiting += 1

    def drop(self, messages: Iterable[HeldMessage]) -> None:
        """Chunks leave their buffers unwritten: forgotten, or their flowgraph ended."""
        for message in messages:
            self._cut(message)
            self._release(message)

    # ---- syncs -------------------------------------------------------------------------------

    def cut(self, pack: Hashable, messages: tuple[HeldMessage, ...], size_bytes: int) -> None:
        """Chunks leave their buffers to be written; about as many bytes of files come of them."""
        assert pack not in self._writing, pack
        for message in messages:
            self._cut(message)
        self._writing[pack] = messages, size_bytes
        self.writing_bytes += size_bytes

    def encoded(self, pack: Hashable, size_bytes: int, view_bytes: int) -> None:
        """The files are made and have this size; so much of it are views of the messages, which
        then stay until they are written, else they can go."""
        messages, cut_bytes = self._writing[pack]
        if not view_bytes:
            for message in messages:
                self._release(message)
            messages = ()
        own_bytes = size_bytes - view_bytes
        self.writing_bytes += own_bytes - cut_bytes
        self._writing[pack] = messages, own_bytes

    def written(self, pack: Hashable) -> None:
        """The sync holds no memory any more: stored, or given up."""
        messages, size_bytes = self._writing.pop(pack)
        for message in messages:
            self._release(message)
        self.writing_bytes -= size_bytes

    # ---- the sums ----------------------------------------------------------------------------

    def _cut(self, message: HeldMessage) -> None:
        message.waiting -= 1
        assert message.waiting >= 0, "a chunk left its buffer twice"
        if message.waiting == 0:
            self.waiting_bytes -= message.size_bytes

    def _release(self, message: HeldMessage) -> None:
        message.holders -= 1
        assert message.holders >= message.waiting, "a chunk was released before it was cut"
        if message.holders == 0:
            self.message_bytes -= message.size_bytes

    def validate(self) -> None:
        """Assert that the sums agree with what is known one by one."""
        assert self.writing_bytes == sum(size for _, size in self._writing.values())
        assert 0 <= self.waiting_bytes <= self.message_bytes, "bytes wait that are not held"
        assert self.unreported_bytes >= 0
