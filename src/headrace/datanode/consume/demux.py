"""Reads a pchannel once and deals its entries out to the flowgraphs of its vchannels.

Flowgraphs that are abreast share one reader. Those that are behind share a catch-up reader, until
it has caught up and both become one. A flowgraph's floor is the position up to which it has all
entries. A reader may deliver entries below a floor, and they are dropped here; so a reader begins
at the lowest floor of its flowgraphs, and a flowgraph may change to any reader that has not passed
its floor. A flowgraph to which nothing happens costs nothing: its position is its reader's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from headrace.datanode.consume.continuity import Continuity
from headrace.datanode.handoff import FetchedGroup, VChannelEntry
from headrace.model.channel import PChannel, Position, VChannel
from headrace.model.entry import Digest, TermStart, Tick
from headrace.model.ids import MessageId

FIRST_MESSAGE: MessageId = 1


@dataclass(slots=True, eq=False)
class Reader:
    """A place in the pchannel that moves on. `credit_bytes` > 0: a fetch is under way."""

    id: int
    pchannel: PChannel
    next_id: MessageId
    continuity: Continuity
    position: Position | None = None  # of the last entry that was dealt out
    credit_bytes: int = 0
    read_all: bool = True  # the last fetch brought less than it might have
    message_bytes: int = 0  # of the largest message that the last fetch brought
    consumers: dict[VChannel, "Consumer"] = field(default_factory=dict)

    def serves(self, floor: Position) -> bool:
        """Whether nothing above the floor has gone by."""
        if self.next_id <= max(floor.message_id, FIRST_MESSAGE):
            return True
        return self.position is not None and floor.passed(self.position.timestamp)


@dataclass(slots=True, eq=False)
class Consumer:
    """A flowgraph's place in its pchannel; without a reader it stands at its floor."""

    vchannel: VChannel
    floor: Position
    reader: Reader | None = None

    @property
    def has_read(self) -> bool:
        """Whether its reader has brought a message already."""
        return self.reader is not None and self.reader.position is not None

    @property
    def consumed(self) -> Position:
        """The higher of its floor and its reader's position."""
        position = self.reader.position if self.reader else None
        return self.floor if position is None or self.floor.passed(position.timestamp) else position


class Demux:
    """The readers and flowgraphs of one pchannel on this node."""

    def __init__(self, pchannel: PChannel, new_id: Callable[[], int]) -> None:
        self.pchannel = pchannel
        self._new_id = new_id
        self._main: Reader | None = None
        self._catch_up: Reader | None = None
        self._consumers: dict[VChannel, Consumer] = {}
        self._unplaced: dict[VChannel, Consumer] = {}  # to be given a reader
        self._ended: list[int] = []

    @property
    def readers(self) -> list[Reader]:
        """At most two: the one that is ahead first."""
        return [r for r in (self._main, self._catch_up) if r is not None]

    @property
    def empty(self) -> bool:
        """Whether no flowgraph is here."""
        return not self._consumers

    def join(self, vchannel: VChannel, seek: Position) -> Consumer:
        """A flowgraph begins at this position; it gets its reader at the next `arrange`."""
        assert vchannel not in self._consumers, vchannel
        consumer = self._consumers[vchannel] = self._unplaced[vchannel] = Consumer(vchannel, seek)
        return consumer

    def leave(self, consumer: Consumer) -> bool:
        """A flowgraph reads no more and stays where it is; False if it does not read."""
        if self._consumers.get(consumer.vchannel) is not consumer:
            return False
        if consumer.reader is not None:
            del consumer.reader.consumers[consumer.vchannel]
        consumer.floor, consumer.reader = consumer.consumed, None
        del self._consumers[consumer.vchannel]
        self._unplaced.pop(consumer.vchannel, None)
        return True

    def deal(
        self, reader: Reader, fetched: FetchedGroup
    ) -> list[tuple[VChannel, list[VChannelEntry]]]:
        """Move on by one message; each flowgraph's entries above its floor, in order.

        `Corrupt` when the message does not continue the one before it; then nothing has moved.
        """
        reader.continuity.check(fetched)
        reader.next_id = fetched.message_id + 1
        shares: dict[VChannel, list[VChannelEntry]] = {}
        for entry in fetched.group.entries:
            if isinstance(entry, (Tick, Digest)):
                continue
            whose = reader.consumers if isinstance(entry, TermStart) else (entry.vchannel,)
            for vchannel in whose:
                consumer = reader.consumers.get(vchannel)
                if consumer is not None and not consumer.floor.passed(entry.timestamp):
                    shares.setdefault(vchannel, []).append(entry)
        reader.position = Position(self.pchannel, fetched.message_id, fetched.group.last_timestamp)
        return list(shares.items())

    def broken(self, reader: Reader) -> list[VChannel]:
        """The reader's next message cannot be read: which flowgraphs need it. The others get
        another reader at the next `arrange`."""
        needy = [v for v, c in reader.consumers.items() if c.floor.message_id <= reader.next_id]
        self._end(reader)
        return needy

    def arrange(self) -> list[int]:
        """Give each flowgraph a reader; the ids of readers that have ended.

        Call it after flowgraphs came, went, or moved on.
        """
        self._merge()
        self._place(list(self._unplaced.values()))
        for reader in self.readers:
            if not reader.consumers:
                self._end(reader)
        if self._main is None:
            self._main, self._catch_up = self._catch_up, None
        ended, self._ended = self._ended, []
        return ended

    def _merge(self) -> None:
        """Those that have caught up go on with the others."""
        main, behind = self._main, self._catch_up
        if main is not None and behind is not None and main.next_id <= behind.next_id:
            moved = list(behind.consumers.values())
            self._end(behind)
            self._seat(main, moved)

    def _place(self, consumers: list[Consumer]) -> None:
        behind = []
        for consumer in consumers:
            fitting = [r for r in self.readers if r.serves(consumer.floor)]
            if fitting:
                self._seat(fitting[0], [consumer])
            else:
                behind.append(consumer)
        if not behind:
            return
        if self._main is None:
            self._main = self._open(behind)
            return
        if self._catch_up is not None:
            behind += self._catch_up.consumers.values()
            self._end(self._catch_up)
        self._catch_up = self._open(behind)

    def _open(self, consumers: Iterable[Consumer]) -> Reader:
        start = max(min(c.floor.message_id for c in consumers), FIRST_MESSAGE)
        reader = Reader(self._new_id(), self.pchannel, start, Continuity(self.pchannel))
        self._seat(reader, consumers)
        return reader

    def _seat(self, reader: Reader, consumers: Iterable[Consumer]) -> None:
        for consumer in consumers:
            reader.consumers[consumer.vchannel] = consumer
            consumer.reader = reader
            self._unplaced.pop(consumer.vchannel, None)

    def _end(self, reader: Reader) -> None:
        """Its flowgraphs keep where they are as their floors."""
        self._ended.append(reader.id)
        for consumer in reader.consumers.values():
            consumer.floor, consumer.reader = consumer.consumed, None
            self._unplaced[consumer.vchannel] = consumer
        reader.consumers.clear()
        if reader is self._main:
            self._main = None
        elif reader is self._catch_up:
            self._catch_up = None

    def validate(self) -> None:
        """Assert that each flowgraph that reads is with one reader that is still here."""
        seated = [c for r in self.readers for c in r.consumers.values()]
        assert len(seated) + len(self._unplaced) == len(self._consumers)
        for vchannel, consumer in self._consumers.items():
            assert (consumer.reader is None) == (vchannel in self._unplaced), vchannel
        for reader in self.readers:
            assert reader.consumers, reader.id
            assert all(c.reader is reader for c in reader.consumers.values()), reader.id
