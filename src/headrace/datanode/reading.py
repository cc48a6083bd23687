"""The reading of a node: pchannels, their readers, and credit for each fetch.

**Owns** the fans of all pchannels, the credit that readers get, and the order in which they get it.
**Does not own** what entries do (`flowgraph`) or the sums (`growing.budget`).

Credit is taken before the fetch. Who is furthest behind is served first. When nothing is left, one
reader still gets credit for one message: that of the flowgraph with the oldest checkpoint, if that
holds nothing in memory. So no flowgraph waits for ever on what others hold, and yet the excess is
at most one message a vchannel while an object store is away.
"""

from collections.abc import Callable, Mapping, Sequence

from headrace.datanode.consume.demux import Fan, Reader
from headrace.datanode.effects import CloseReader, Fetch
from headrace.datanode.flowgraph import Flowgraph
from headrace.datanode.shared import Shared
from headrace.model.channel import PChannel, VChannel
from headrace.model.position import Position

SMALLEST_SHARE = 8  # a fetch never asks for less than this part of a small budget
WAITING_SHARE = 3  # fetches of several messages keep at most this part of the budget as credit


class Reading:
    """All readers of one node. `flows` are the machine's, by vchannel."""

    def __init__(self, shared: Shared, flows: Mapping[VChannel, Flowgraph]) -> None:
        self._shared = shared
        self._flows = flows
        self._fans: dict[PChannel, Fan] = {}
        self._readers: dict[int, Reader] = {}
        self._changed: dict[PChannel, None] = {}
        self._last_id = 0
        settings = shared.settings
        self._least = max(
            1, min(settings.fetch_bytes_least, settings.budget_bytes // SMALLEST_SHARE)
        )
        self._most = max(self._least, settings.fetch_bytes_most)

    # ---- who reads ---------------------------------------------------------------------------

    def join(self, vchannel: VChannel, seek: Position) -> Callable[[], Position]:
        """A flowgraph begins to read; the result tells its position as long as it reads."""
        pchannel = seek.pchannel
        fan = self._fans.get(pchannel)
        if fan is None:
            fan = self._fans[pchannel] = Fan(pchannel, self._new_id)
        fan.join(vchannel, seek)
        self._changed[pchannel] = None
        joined = fan
        return lambda: joined.consumed(vchannel)

    def leave(self, flow: Flowgraph) -> None:
        """A flowgraph reads no more; its position is fixed. Nothing if it does not read."""
        fan = self._fans.get(flow.pchannel)
        if fan is not None and fan.has(flow.vchannel):
            flow.stop_reading()
            fan.leave(flow.vchannel)
            self._changed[flow.pchannel] = None

    def has_read(self, flow: Flowgraph) -> bool:
        """Whether the reader of a flowgraph has brought a message already."""
        fan = self._fans.get(flow.pchannel)
        return fan is not None and fan.has_read(flow.vchannel)

    def fan_of(self, reader: Reader) -> Fan:
        """The fan that a reader belongs to."""
        return self._fans[reader.pchannel]

    # ---- fetches -----------------------------------------------------------------------------

    def returned(self, reader_id: int, sizes: Sequence[int]) -> Reader | None:
        """A fetch has ended with messages of these sizes: its credit comes back. None when its
        reader was closed before."""
        reader = self._readers.get(reader_id)
        if reader is not None:
            self._shared.budget.give_back(reader.credit_bytes)
            reader.read_all = sum(sizes) < reader.credit_bytes // 2
            reader.message_bytes = max(sizes, default=0)
            reader.credit_bytes = 0
            self._changed[reader.pchannel] = None
        return reader

    def settle(self) -> None:
        """Give everybody a reader and every reader its next fetch, as far as credit goes."""
        for pchannel in list(self._changed):
            self._arrange(self._fans[pchannel])
        self._changed.clear()
        waiting = [r for r in self._readers.values() if not r.credit_bytes]
        waiting.sort(key=lambda r: r.position.timestamp if r.position else 0)
        starved = [r for r in waiting if not self._fetch(r)]
        if starved:
            self._feed_oldest(starved)

    def _arrange(self, fan: Fan) -> None:
        for reader_id in fan.arrange():
            reader = self._readers.pop(reader_id, None)
            if reader is not None:
                self._shared.budget.give_back(reader.credit_bytes)
                self._shared.orders.append(CloseReader(reader_id))
        for reader in fan.readers:
            self._readers.setdefault(reader.id, reader)
        if fan.empty:
            del self._fans[fan.pchannel]

    def _fetch(self, reader: Reader) -> bool:
        """Order a fetch if there is credit for a message. Who has read all there was may wait
        long for the next one and keeps little credit; all together keep a part of the budget."""
        budget = self._shared.budget
        share = budget.hard_bytes // WAITING_SHARE
        least = max(self._least, min(reader.message_bytes, share))
        if budget.free_bytes < least:
            return False
        left = share - budget.credit_bytes
        most = least if reader.read_all else max(least, min(self._most, budget.free_bytes, left))
        self._order(reader, most)
        return True

    def _feed_oldest(self, starved: list[Reader]) -> None:
        oldest: tuple[int, Reader, Flowgraph] | None = None
        for reader in starved:
            for vchannel in reader.members:
                flow = self._flows[vchannel]
                at = flow.checkpoint.timestamp
                if oldest is None or at < oldest[0]:
                    oldest = at, reader, flow
        if oldest is not None and not oldest[2].holds_bytes:
            self._order(oldest[1], 1)

    def _order(self, reader: Reader, credit_bytes: int) -> None:
        reader.credit_bytes = credit_bytes
        self._shared.budget.lend(credit_bytes)
        self._shared.orders.append(Fetch(reader.id, reader.pchannel, reader.next_id, credit_bytes))

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def validate(self) -> None:
        """Assert that credit and readers agree."""
        for fan in self._fans.values():
            fan.validate()
        lent = sum(r.credit_bytes for r in self._readers.values())
        assert lent == self._shared.budget.credit_bytes, (lent, self._shared.budget.credit_bytes)
