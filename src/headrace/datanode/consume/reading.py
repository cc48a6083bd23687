"""Decides which reader fetches next, and how many bytes it may bring.

A reader takes credit from the budget before it fetches, and the one that is furthest behind is
served first. When nothing is left, one reader still gets credit for one message: that of the
flowgraph with the oldest checkpoint, if that flowgraph holds nothing in memory. So no flowgraph
waits for ever for bytes that others hold, and the excess is at most one message a vchannel while an
object store is away.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from headrace.datanode.budget import Budget
from headrace.datanode.consume.demux import Consumer, Demux, Reader
from headrace.datanode.effects import CloseReader, Effect, Fetch
from headrace.datanode.settings import DataNodeSettings
from headrace.model.channel import PChannel, Position, VChannel

SMALLEST_SHARE = 8  # a fetch never asks for less than this part of a small budget
WAITING_SHARE = 3  # fetches of several messages keep at most this part of the budget as credit


class Fed(Protocol):
    """What a flowgraph says to be given credit."""

    @property
    def checkpoint(self) -> Position:
        """The channel checkpoint as it was last confirmed."""
        ...

    @property
    def holds_bytes(self) -> bool:
        """Whether it has anything in memory that counts."""
        ...


class PChannelReaders:
    """All readers of one node. `flows` are the machine's, by vchannel."""

    def __init__(
        self, settings: DataNodeSettings, budget: Budget, flows: Mapping[VChannel, Fed]
    ) -> None:
        self._budget = budget
        self._flows = flows
        self._demuxes: dict[PChannel, Demux] = {}
        self._readers: dict[int, Reader] = {}
        self._changed: dict[PChannel, None] = {}
        self._last_id = 0
        self._least = max(
            1, min(settings.fetch_bytes_least, settings.budget_bytes // SMALLEST_SHARE)
        )
        self._most = max(self._least, settings.fetch_bytes_most)

    # ---- who reads ---------------------------------------------------------------------------

    def join(self, vchannel: VChannel, seek: Position) -> Consumer:
        """A flowgraph begins to read at this position."""
        demux = self._demuxes.get(seek.pchannel)
        if demux is None:
            demux = self._demuxes[seek.pchannel] = Demux(seek.pchannel, self._new_id)
        self._changed[seek.pchannel] = None
        return demux.join(vchannel, seek)

    def leave(self, consumer: Consumer) -> None:
        """A flowgraph reads no more; nothing if it does not read."""
        demux = self._demuxes.get(consumer.floor.pchannel)
        if demux is not None and demux.leave(consumer):
            self._changed[demux.pchannel] = None

    def demux_of(self, reader: Reader) -> Demux:
        """The demux that a reader belongs to."""
        return self._demuxes[reader.pchannel]

    # ---- fetches -----------------------------------------------------------------------------

    def returned(self, reader_id: int, sizes: Sequence[int]) -> Reader | None:
        """A fetch has ended with messages of these sizes: its credit comes back. None when its
        reader was closed before."""
        reader = self._readers.get(reader_id)
        if reader is not None:
            self._budget.give_back(reader.credit_bytes)
            reader.read_all = sum(sizes) < reader.credit_bytes // 2
            reader.message_bytes = max(sizes, default=0)
            reader.credit_bytes = 0
            self._changed[reader.pchannel] = None
        return reader

    def settle(self) -> list[Effect]:
        """Give each flowgraph a reader and each reader its next fetch, as far as credit goes."""
        effects: list[Effect] = []
        for pchannel in self._changed:
            effects += self._arrange(self._demuxes[pchannel])
        self._changed.clear()
        waiting = [r for r in self._readers.values() if not r.credit_bytes]
        waiting.sort(key=lambda r: r.position.timestamp if r.position else 0)
        starved = []
        for reader in waiting:
            if credit_bytes := self._credit(reader):
                effects.append(self._fetch(reader, credit_bytes))
            else:
                starved.append(reader)
        return [*effects, *self._feed_oldest(starved)]

    def _arrange(self, demux: Demux) -> list[Effect]:
        closed: list[Effect] = []
        for reader_id in demux.arrange():
            reader = self._readers.pop(reader_id, None)
            if reader is not None:
                self._budget.give_back(reader.credit_bytes)
                closed.append(CloseReader(reader_id))
        for reader in demux.readers:
            self._readers.setdefault(reader.id, reader)
        if demux.empty:
            del self._demuxes[demux.pchannel]
        return closed

    def _credit(self, reader: Reader) -> int:
        """What a reader may fetch now, 0 when less than a message is left. A reader that has read
        all there was may wait long for the next message and keeps little credit; all together keep
        a part of the budget."""
        budget = self._budget
        share = budget.hard_bytes // WAITING_SHARE
        least = max(self._least, min(reader.message_bytes, share))
        if budget.free_bytes < least:
            return 0
        left = share - budget.credit_bytes
        return least if reader.read_all else max(least, min(self._most, budget.free_bytes, left))

    def _feed_oldest(self, starved: list[Reader]) -> list[Effect]:
        members = [(r, self._flows[v]) for r in starved for v in r.consumers]
        if not members:
            return []
        reader, flow = min(members, key=lambda m: m[1].checkpoint.timestamp)
        return [] if flow.holds_bytes else [self._fetch(reader, 1)]

    def _fetch(self, reader: Reader, credit_bytes: int) -> Fetch:
        reader.credit_bytes = credit_bytes
        self._budget.lend(credit_bytes)
        return Fetch(reader.id, reader.pchannel, reader.next_id, credit_bytes)

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def validate(self) -> None:
        """Assert that credit and readers agree."""
        for demux in self._demuxes.values():
            demux.validate()
        lent = sum(r.credit_bytes for r in self._readers.values())
        assert lent == self._budget.credit_bytes, (lent, self._budget.credit_bytes)
