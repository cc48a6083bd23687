"""One pchannel, read once, dealt out to the flowgraphs of its vchannels.

**Owns** who reads from where: one reader for those that are abreast, one catch-up reader for those
that are behind, who is with which, and when both become one. **Does not own** fetches and their
credit (`machine`), or what is new in an entry beyond the seek (`fresh`).

A flowgraph's floor is the position at or below which all is behind it. A reader may deliver what
lies below a floor: it is dropped here, so readers may begin as low as the lowest of theirs needs,
and a flowgraph may change readers as long as none has passed its floor. Flowgraphs to which nothing
happens are not touched: their position is their reader's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from headrace.datanode.consume.continuity import Continuity
from headrace.datanode.handoff import FetchedGroup, VChannelEntry
from headrace.model.channel import PChannel, VChannel
from headrace.model.entry import Digest, TermStart, Tick
from headrace.model.ids import MessageId
from headrace.model.position import Position
from headrace.model.timestamp import Timestamp

FIRST_MESSAGE: MessageId = 1


def is_behind(floor: Position, timestamp: Timestamp) -> bool:
    """All at or below a position's timestamp is behind it."""
    return timestamp <= floor.timestamp


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
    members: dict[VChannel, None] = field(default_factory=dict)

    def serves(self, floor: Position) -> bool:
        """Whether nothing above the floor has gone by."""
        if self.next_id <= max(floor.message_id, FIRST_MESSAGE):
            return True
        return self.position is not None and is_behind(floor, self.position.timestamp)


class Fan:
    """The readers and flowgraphs of one pchannel on this node."""

    def __init__(self, pchannel: PChannel, new_id: Callable[[], int]) -> None:
        self.pchannel = pchannel
        self._new_id = new_id
        self._main: Reader | None = None
        self._catch_up: Reader | None = None
        self._floors: dict[VChannel, Position] = {}
        self._reader_of: dict[VChannel, Reader] = {}
        self._homeless: dict[VChannel, None] = {}  # to be given a reader
        self._ended: list[int] = []

    @property
    def readers(self) -> list[Reader]:
        """At most two: the one that is ahead first."""
        return [r for r in (self._main, self._catch_up) if r is not None]

    @property
    def empty(self) -> bool:
        """Whether no flowgraph is here."""
        return not self._floors

    def join(self, vchannel: VChannel, seek: Position) -> None:
        """A flowgraph begins at this position; it gets its reader at the next `arrange`."""
        assert vchannel not in self._floors, vchannel
        self._floors[vchannel] = seek
        self._homeless[vchannel] = None

    def leave(self, vchannel: VChannel) -> None:
        """A flowgraph reads no more; nothing if it does not read."""
        if self._floors.pop(vchannel, None) is not None:
            self._homeless.pop(vchannel, None)
            reader = self._reader_of.pop(vchannel, None)
            if reader is not None:
                del reader.members[vchannel]

    def has(self, vchannel: VChannel) -> bool:
        """Whether a flowgraph is here."""
        return vchannel in self._floors

    def has_read(self, vchannel: VChannel) -> bool:
        """Whether its reader has brought a message already."""
        reader = self._reader_of.get(vchannel)
        return reader is not None and reader.position is not None

    def consumed(self, vchannel: VChannel) -> Position:
        """The position of a flowgraph that is here: the higher of its floor and its reader's."""
        floor, reader = self._floors[vchannel], self._reader_of.get(vchannel)
        if reader is None or reader.position is None:
            return floor
        return floor if is_behind(floor, reader.position.timestamp) else reader.position

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
            whose = reader.members if isinstance(entry, TermStart) else (entry.vchannel,)
            for vchannel in whose:
                if vchannel in reader.members and not is_behind(
                    self._floors[vchannel], entry.timestamp
                ):
                    shares.setdefault(vchannel, []).append(entry)
        reader.position = Position(self.pchannel, fetched.message_id, fetched.group.last_timestamp)
        return list(shares.items())

    def broken(self, reader: Reader) -> list[VChannel]:
        """The reader's next message cannot be read: who needs it. The others look for another
        reader at the next `arrange`."""
        needy = [v for v in reader.members if self._floors[v].message_id <= reader.next_id]
        self._end(reader)
        return needy

    def arrange(self) -> list[int]:
        """Give everybody a reader; the ids of readers that have ended.

        Call it after flowgraphs came, went, or moved on.
        """
        self._merge()
        self._place(list(self._homeless))
        for reader in self.readers:
            if not reader.members:
                self._end(reader)
        if self._main is None:
            self._main, self._catch_up = self._catch_up, None
        ended, self._ended = self._ended, []
        return ended

    def _merge(self) -> None:
        """Those that have caught up go on with the others."""
        main, behind = self._main, self._catch_up
        if main is not None and behind is not None and main.next_id <= behind.next_id:
            moved = list(behind.members)
            self._end(behind)
            self._seat(main, moved)

    def _place(self, homeless: list[VChannel]) -> None:
        behind = []
        for vchannel in homeless:
            fitting = [r for r in self.readers if r.serves(self._floors[vchannel])]
            if fitting:
                self._seat(fitting[0], [vchannel])
            else:
                behind.append(vchannel)
        if not behind:
            return
        if self._main is None:
            self._main = self._open(behind)
            return
        if self._catch_up is not None:
            behind += self._catch_up.members
            self._end(self._catch_up)
        self._catch_up = self._open(behind)

    def _open(self, vchannels: Iterable[VChannel]) -> Reader:
        lowest = min(self._floors[v].message_id for v in vchannels)
        start = max(lowest, FIRST_MESSAGE)
        reader = Reader(self._new_id(), self.pchannel, start, Continuity(self.pchannel))
        self._seat(reader, vchannels)
        return reader

    def _seat(self, reader: Reader, vchannels: Iterable[VChannel]) -> None:
        for vchannel in vchannels:
            reader.members[vchannel] = None
            self._reader_of[vchannel] = reader
            self._homeless.pop(vchannel, None)

    def _end(self, reader: Reader) -> None:
        """Its flowgraphs keep where they are as their floors."""
        self._ended.append(reader.id)
        for vchannel in list(reader.members):
            self._floors[vchannel] = self.consumed(vchannel)
            del self._reader_of[vchannel]
            self._homeless[vchannel] = None
        reader.members.clear()
        if reader is self._main:
            self._main = None
        elif reader is self._catch_up:
            self._catch_up = None

    def validate(self) -> None:
        """Assert that everybody who reads is with one reader that is still here."""
        assert self._homeless.keys() == self._floors.keys() - self._reader_of.keys()
        for vchannel, reader in self._reader_of.items():
            assert reader in self.readers, (vchannel, reader.id)
            assert vchannel in reader.members and vchannel in self._floors, vchannel
        for reader in self.readers:
            assert reader.members, reader.id
            assert all(self._reader_of[v] is reader for v in reader.members), reader.id
