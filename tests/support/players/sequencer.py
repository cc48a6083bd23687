"""A sequencer's machine without any surroundings: events in, effects out, time by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from headrace.meta.records import CollectionRecord, CollectionState, DdlRecord, PartitionRecord
from headrace.model.channel import Position
from headrace.model.entry import DdlKind, DigestItem, Entry, Rows
from headrace.model.group import Group, decode
from headrace.model.ids import MessageId
from headrace.model.schema import DataType, Field, Schema
from headrace.model.timestamp import Timestamp, compose
from headrace.rpc.messages import AppendRequest, SealRequest
from headrace.sequencer.effects import (
    Answer,
    Append,
    AskGrant,
    Effect,
    LeaseIds,
    ReadEnd,
    ReadMeta,
    ReadWindow,
    Refuse,
)
from headrace.sequencer.events import (
    AppendAnswered,
    AppendArrived,
    AssignmentRead,
    DdlArrived,
    EndRead,
    Event,
    Granted,
    IdsLeased,
    MetaRead,
    MetaView,
    Past,
    SealArrived,
    TimePassed,
    VChannelView,
    WindowRead,
)
from headrace.sequencer.machine import SequencerMachine
from headrace.sequencer.settings import SequencerSettings

E = TypeVar("E")

PCHANNEL = "dml-0"
COLLECTION = 7
VCHANNEL = "dml-0_7v0"
OTHER_VCHANNEL = "dml-0_7v1"
ME = 3
START_MS = 1_700_000_000_000
SCHEMA = Schema(fields=(Field(id=100, name="id", type=DataType.INT64, primary=True),))


def at(seconds: float, logical: int = 0) -> Timestamp:
    """The timestamp so many seconds after the beginning of the script."""
    return compose(START_MS + int(seconds * 1000), logical)


def collection(version: int = 1, noted: int | None = None, **changes: Any) -> CollectionRecord:
    """The collection of the scripts, of two shards in one pchannel."""
    record = CollectionRecord(
        id=COLLECTION,
        name="books",
        version=version,
        noted=version if noted is None else noted,
        state=CollectionState.CREATED,
        schema=SCHEMA,
        vchannels=(VCHANNEL, OTHER_VCHANNEL),
        partitions=(PartitionRecord(id=1, name="_default", created=at(0)),),
        created=at(0),
    )
    return replace(record, **changes)


def ddl(version: int, kind: DdlKind = DdlKind.CREATE, **changes: Any) -> DdlRecord:
    """A DDL of that collection."""
    record = DdlRecord(
        collection_id=COLLECTION,
        version=version,
        kind=kind,
        schema=SCHEMA,
        name="books",
        recorded=at(0),
    )
    return replace(record, **changes)


def noted(version: int, message_id: MessageId) -> DdlRecord:
    """A DDL whose entries stand in that message."""
    positions = {
        v: Position(PCHANNEL, message_id, at(-1, n))
        for n, v in enumerate((VCHANNEL, OTHER_VCHANNEL))
    }
    return ddl(version, noted=True, positions=positions)


def view(
    record: CollectionRecord | None = None,
    last: DdlRecord | None = None,
    recorded: DdlRecord | None = None,
    wanted: int = ME,
    mark: MessageId = 0,
) -> MetaView:
    """What a new sequencer reads of the meta store."""
    record = record or collection()
    vchannels = tuple(VChannelView(v, record, last, recorded) for v in record.vchannels)
    return MetaView(wanted=wanted, assignment_revision=10, mark=mark, vchannels=vchannels)


def past(*items: DigestItem, floor: Timestamp = 0, **changes: Any) -> Past:
    """What a new sequencer reads of the log."""
    values: dict[str, Any] = {"digest": 0, "since": 0, "bytes_since": 0, "messages_since": 0}
    return Past(items=items, recent=items, floor=floor, **(values | changes))


def part(name: str, **changes: Any) -> AppendRequest:
    """A part of a request: one row of 100 bytes, unless told otherwise."""
    request = AppendRequest(
        vchannel=VCHANNEL,
        collection_id=COLLECTION,
        partition_id=1,
        version=1,
        part_id=name.encode().ljust(16, b"."),
        fingerprint=b"fingerprint-" + name.encode().ljust(4, b"."),
        first_sent=at(0),
        keyed=False,
        rows=1,
        body=name.encode().ljust(100, b"."),
    )
    return replace(request, **changes)


def item(request: AppendRequest, message_id: MessageId, index: int = 0) -> DigestItem:
    """Where a part stands."""
    return DigestItem(
        request.part_id,
        request.fingerprint,
        request.first_sent,
        message_id,
        index,
        request.keyed,
    )


def group_of(effect: Append) -> Group:
    """What would stand in the log."""
    return decode(b"".join(effect.parts))


def entries_of(effect: Append) -> tuple[Entry, ...]:
    """The entries of a message on its way."""
    return group_of(effect).entries


def of(kind: type[E], effects: Sequence[object]) -> list[E]:
    """The effects of one kind."""
    return [e for e in effects if isinstance(e, kind)]


class Script:
    """A machine, the time, and every effect so far; `validate` runs after every step.

    Answers by itself what is no matter to a test: ids are leased, and with `grants` timestamps are
    granted, each grant a millisecond (or however far time was moved) above the one before.
    """

    def __init__(self, *, grants: bool = True, **changes: Any) -> None:
        self.settings = SequencerSettings(**changes)
        self.machine = SequencerMachine(PCHANNEL, ME, "here:1", self.settings)
        self.now = 0.0
        self.effects: list[Effect] = []
        self.grants = grants
        self.asked = 0
        self._ids = 1000
        self._granted_ms = START_MS
        self._calls = 0

    # ---- events ------------------------------------------------------------------------------

    def tell(self, event: Event) -> list[Effect]:
        """What is ordered because of it, less what the script answers by itself."""
        effects = self._step(event)
        rest: list[Effect] = []
        while effects:
            effect = effects.pop(0)
            match effect:
                case LeaseIds():
                    first, self._ids = self._ids, self._ids + effect.count
                    effects += self._step(IdsLeased(first, effect.count))
                case AskGrant():
                    self.asked = effect.asked
                    if self.grants:
                        effects += self._step(self.grant())
                    else:
                        rest.append(effect)
                case _:
                    rest.append(effect)
        self.effects += rest
        return rest

    def grant(self, asked: int | None = None) -> Granted:
        """The answer to the last ask (or another): timestamps from the present on."""
        self._granted_ms = max(self._granted_ms + 1, START_MS + int(self.now * 1000))
        return Granted(self.asked if asked is None else asked, compose(self._granted_ms), 4096)

    def wait(self, seconds: float) -> list[Effect]:
        """Time passes."""
        self.now += seconds
        return self.tell(TimePassed())

    def append(self, request: AppendRequest) -> tuple[int, list[Effect]]:
        """A part arrives: its call, and what is ordered."""
        self._calls += 1
        return self._calls, self.tell(AppendArrived(self._calls, request))

    def ddl(self, record: CollectionRecord, item: DdlRecord) -> tuple[int, list[Effect]]:
        """The master service has a DDL appended."""
        self._calls += 1
        return self._calls, self.tell(DdlArrived(self._calls, record, item))

    def seal(self, above: Timestamp, **changes: Any) -> tuple[int, list[Effect]]:
        """A caller asks for Seals."""
        values: dict[str, Any] = {"pchannel": PCHANNEL, "collection_id": COLLECTION}
        self._calls += 1
        request = SealRequest(above=above, **(values | changes))
        return self._calls, self.tell(SealArrived(self._calls, request))

    def stands(self, effect: Append) -> list[Effect]:
        """The log takes a message and says so."""
        answered = AppendAnswered(effect.attempt, effect.expected_last, effect.expected_last + 1)
        return self.tell(answered)

    # ---- the way to an open term -------------------------------------------------------------

    def candidate(self, last: MessageId = 5, timestamp: Timestamp = 0, mark: int = 0) -> Append:
        """The process is assigned and has read the end of the log: its TermStart."""
        [read] = of(ReadEnd, self.tell(AssignmentRead(ME, 10)))
        effects = self.tell(EndRead(read.attempt, last, timestamp or at(-1), mark))
        [append] = of(Append, effects)
        return append

    def standing(self, **changes: Any) -> ReadMeta:
        """Its TermStart stands."""
        [read] = of(ReadMeta, self.stands(self.candidate(**changes)))
        return read

    def reading(self, seen: MetaView | None = None, **changes: Any) -> ReadWindow:
        """It has read the meta store."""
        read = self.standing(**changes)
        [window] = of(ReadWindow, self.tell(MetaRead(read.attempt, seen or view())))
        return window

    def open(
        self, seen: MetaView | None = None, known: Past | None = None, **changes: Any
    ) -> list[Effect]:
        """It is the sequencer: its TermStart stands as message 6."""
        read = self.reading(seen, **changes)
        effects = self.tell(WindowRead(read.attempt, known or past()))
        assert self.machine.is_open
        return effects

    # ---- what was ordered --------------------------------------------------------------------

    def answers(self, call: int) -> list[Any]:
        """All that this caller was told: responses and errors."""
        told: list[Any] = [e.response for e in of(Answer, self.effects) if e.call == call]
        return told + [e.error for e in of(Refuse, self.effects) if e.call == call]

    def _step(self, event: Event) -> list[Effect]:
        effects = self.machine.step(event, self.now)
        self.machine.validate()
        return effects


def opened(**changes: Any) -> Script:
    """The sequencer of term 6, with timestamps at hand."""
    script = Script(**changes)
    script.open()
    return script


def sent(script: Script, name: str, **changes: Any) -> tuple[int, Append]:
    """A part that goes out at once."""
    call, effects = script.append(part(name, **changes))
    [append] = of(Append, effects)
    return call, append


def rows_of(append: Append) -> list[Rows]:
    """The rows entries of a message on its way."""
    return [e for e in entries_of(append) if isinstance(e, Rows)]
