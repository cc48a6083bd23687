"""Plays `scenarios/sequencer/*.txt`: events of one pchannel's sequencer and what it orders.

Commands: `assignment ID` · `end LAST` (the end of the log is read) · `meta [noted VERSION AT]
[recorded VERSION KIND] [wanted ID]` · `window [NAME ...]` (ids that older terms left) · `open` (all
of that at once) · `append NAME [FIELD=VALUE ...]` · `ddl VERSION KIND` · `seal` · `grant` · `away`
· `withheld` · `taken` (the log takes the message on its way and says so) · `unanswered` · `looked
own|other|absent` · `wait SECONDS` · `stop` · `position`. Ids are leased by themselves; timestamps
are granted when a script says so. Times are shown as seconds since the script began, `+n` is the
logical part.

`Script` is the same machine for tests that call it: events in, effects out, time by hand.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from headrace.meta.records import CollectionRecord, CollectionState, DdlRecord, PartitionRecord
from headrace.model.channel import Position
from headrace.model.entry import (
    Ddl,
    DdlKind,
    Digest,
    DigestItem,
    Entry,
    Rows,
    Seal,
    TermStart,
    Tick,
)
from headrace.model.group import Group, decode
from headrace.model.ids import MessageId
from headrace.model.schema import DataType, Field, Schema
from headrace.model.timestamp import Timestamp, compose, logical, physical_ms
from headrace.rpc.messages import (
    AppendDdlResponse,
    AppendRequest,
    AppendResponse,
    PositionResponse,
    SealRequest,
    SealResponse,
)
from headrace.sequencer import effects as fx
from headrace.sequencer import events as ev
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
) -> ev.MetaView:
    """What a new sequencer reads of the meta store."""
    record = record or collection()
    vchannels = tuple(ev.VChannelView(v, record, last, recorded) for v in record.vchannels)
    return ev.MetaView(wanted=wanted, assignment_revision=10, mark=mark, vchannels=vchannels)


def past(*items: DigestItem, floor: Timestamp = 0, **changes: Any) -> ev.Past:
    """What a new sequencer reads of the log."""
    values: dict[str, Any] = {"digest": 0, "since": 0, "bytes_since": 0, "messages_since": 0}
    return ev.Past(items=items, recent=items, floor=floor, **(values | changes))


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


def group_of(effect: fx.Append) -> Group:
    """What would stand in the log."""
    return decode(b"".join(effect.parts))


def entries_of(effect: fx.Append) -> tuple[Entry, ...]:
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
        self.effects: list[fx.Effect] = []
        self.grants = grants
        self.asked = 0
        self._ids = 1000
        self._granted_ms = START_MS
        self._calls = 0

    # ---- events ------------------------------------------------------------------------------

    def tell(self, event: ev.Event) -> list[fx.Effect]:
        """What is ordered because of it, less what the script answers by itself."""
        effects = self._step(event)
        rest: list[fx.Effect] = []
        while effects:
            effect = effects.pop(0)
            match effect:
                case fx.LeaseIds():
                    first, self._ids = self._ids, self._ids + effect.count
                    effects += self._step(ev.IdsLeased(first, effect.count))
                case fx.AskGrant():
                    self.asked = effect.asked
                    if self.grants:
                        effects += self._step(self.grant())
                    else:
                        rest.append(effect)
                case _:
                    rest.append(effect)
        self.effects += rest
        return rest

    def grant(self, asked: int | None = None) -> ev.Granted:
        """The answer to the last ask (or another): timestamps from the present on."""
        self._granted_ms = max(self._granted_ms + 1, START_MS + int(self.now * 1000))
        return ev.Granted(self.asked if asked is None else asked, compose(self._granted_ms), 4096)

    def wait(self, seconds: float) -> list[fx.Effect]:
        """Time passes."""
        self.now += seconds
        return self.tell(ev.TimePassed())

    def append(self, request: AppendRequest) -> tuple[int, list[fx.Effect]]:
        """A part arrives: its call, and what is ordered."""
        self._calls += 1
        return self._calls, self.tell(ev.AppendArrived(self._calls, request))

    def ddl(self, record: CollectionRecord, item: DdlRecord) -> tuple[int, list[fx.Effect]]:
        """The master service has a DDL appended."""
        self._calls += 1
        return self._calls, self.tell(ev.DdlArrived(self._calls, record, item))

    def seal(self, above: Timestamp, **changes: Any) -> tuple[int, list[fx.Effect]]:
        """A caller asks for Seals."""
        values: dict[str, Any] = {"pchannel": PCHANNEL, "collection_id": COLLECTION}
        self._calls += 1
        request = SealRequest(above=above, **(values | changes))
        return self._calls, self.tell(ev.SealArrived(self._calls, request))

    def stands(self, effect: fx.Append) -> list[fx.Effect]:
        """The log takes a message and says so."""
        answered = ev.AppendAnswered(effect.attempt, effect.expected_last, effect.expected_last + 1)
        return self.tell(answered)

    # ---- the way to an open term -------------------------------------------------------------

    def candidate(self, last: MessageId = 5, timestamp: Timestamp = 0, mark: int = 0) -> fx.Append:
        """The process is assigned and has read the end of the log: its TermStart."""
        [read] = of(fx.ReadEnd, self.tell(ev.AssignmentRead(ME, 10)))
        effects = self.tell(ev.EndRead(read.attempt, last, timestamp or at(-1), mark))
        [append] = of(fx.Append, effects)
        return append

    def standing(self, **changes: Any) -> fx.ReadMeta:
        """Its TermStart stands."""
        [read] = of(fx.ReadMeta, self.stands(self.candidate(**changes)))
        return read

    def reading(self, seen: ev.MetaView | None = None, **changes: Any) -> fx.ReadWindow:
        """It has read the meta store."""
        read = self.standing(**changes)
        [window] = of(fx.ReadWindow, self.tell(ev.MetaRead(read.attempt, seen or view())))
        return window

    def open(
        self, seen: ev.MetaView | None = None, known: ev.Past | None = None, **changes: Any
    ) -> list[fx.Effect]:
        """It is the sequencer: its TermStart stands as message 6."""
        read = self.reading(seen, **changes)
        effects = self.tell(ev.WindowRead(read.attempt, known or past()))
        assert self.machine.is_open
        return effects

    # ---- what was ordered --------------------------------------------------------------------

    def answers(self, call: int) -> list[Any]:
        """All that this caller was told: responses and errors."""
        told: list[Any] = [e.response for e in of(fx.Answer, self.effects) if e.call == call]
        return told + [e.error for e in of(fx.Refuse, self.effects) if e.call == call]

    def _step(self, event: ev.Event) -> list[fx.Effect]:
        effects = self.machine.step(event, self.now)
        self.machine.validate()
        return effects


def opened(**changes: Any) -> Script:
    """The sequencer of term 6, with timestamps at hand."""
    script = Script(**changes)
    script.open()
    return script


def sent(script: Script, name: str, **changes: Any) -> tuple[int, fx.Append]:
    """A part that goes out at once."""
    call, effects = script.append(part(name, **changes))
    [append] = of(fx.Append, effects)
    return call, append


def rows_of(append: fx.Append) -> list[Rows]:
    """The rows entries of a message on its way."""
    return [e for e in entries_of(append) if isinstance(e, Rows)]


class Player:
    """A machine, the message on its way, and the calls by their numbers."""

    def __init__(self) -> None:
        self.script = Script(grants=False)
        self.revision = 10
        self.record = collection()
        self.flying: fx.Append | None = None

    def play(self, command: str) -> list[str]:
        """What is ordered because of it, one line each."""
        name, *words = command.split()
        effects: list[fx.Effect] = getattr(self, f"_{name}")(*words)
        for append in of(fx.Append, effects):
            self.flying = append
        return [self._show(e) for e in effects]

    # ---- taking over -------------------------------------------------------------------------

    def _assignment(self, server_id: str) -> list[fx.Effect]:
        self.revision += 1
        return self.script.tell(ev.AssignmentRead(int(server_id), self.revision))

    def _end(self, last: str) -> list[fx.Effect]:
        return self.script.tell(ev.EndRead(self._attempt, int(last), at(-1), 0))

    def _meta(self, *words: str) -> list[fx.Effect]:
        seen = view(self.record)
        rest = list(words)
        while rest:
            match rest:
                case ["noted", version, message_id, *rest]:
                    self.record = collection(int(version))
                    seen = view(self.record, noted(int(version), int(message_id)))
                case ["recorded", version, kind, *rest]:
                    self.record = collection(int(version), noted=int(version) - 1)
                    seen = view(self.record, None, ddl(int(version), DdlKind(kind)))
                case ["wanted", server_id, *rest]:
                    seen = replace(seen, wanted=int(server_id))
        return self.script.tell(ev.MetaRead(self._attempt, seen))

    def _window(self, *names: str) -> list[fx.Effect]:
        known = past(*(item(part(name), 2) for name in names))
        return self.script.tell(ev.WindowRead(self._attempt, known))

    def _open(self) -> list[fx.Effect]:
        return self.script.open()

    @property
    def _attempt(self) -> int:
        orders = of(fx.ReadEnd, self.script.effects)
        return orders[-1].attempt

    # ---- requests ----------------------------------------------------------------------------

    def _append(self, name: str, *words: str) -> list[fx.Effect]:
        values: dict[str, Any] = {}
        for word in words:
            key, value = word.split("=")
            match key:
                case "first_sent":
                    values[key] = at(float(value))
                case "fingerprint":
                    values[key] = value.encode()
                case _:
                    values[key] = int(value)
        _, effects = self.script.append(part(name, **values))
        return effects

    def _ddl(self, version: str, kind: str) -> list[fx.Effect]:
        record = collection(int(version), noted=int(version) - 1)
        _, effects = self.script.ddl(record, ddl(int(version), DdlKind(kind)))
        return effects

    def _seal(self) -> list[fx.Effect]:
        above = at(self.script.now)
        _, effects = self.script.seal(above)
        return effects

    def _position(self) -> list[fx.Effect]:
        return self.script.tell(ev.PositionAsked(900))

    def _stop(self) -> list[fx.Effect]:
        return self.script.tell(ev.StopAsked(901))

    def _wait(self, seconds: str) -> list[fx.Effect]:
        return self.script.wait(float(seconds))

    # ---- the master service and the log --------------------------------------------------------

    def _grant(self) -> list[fx.Effect]:
        return self.script.tell(self.script.grant())

    def _away(self) -> list[fx.Effect]:
        return self.script.tell(ev.GrantUnanswered(self.script.asked, "away"))

    def _withheld(self) -> list[fx.Effect]:
        return self.script.tell(ev.GrantWithheld(self.script.asked))

    def _taken(self) -> list[fx.Effect]:
        assert self.flying is not None, "nothing is on its way"
        return self.script.stands(self.flying)

    def _unanswered(self) -> list[fx.Effect]:
        assert self.flying is not None, "nothing is on its way"
        flying = self.flying
        return self.script.tell(ev.AppendUnanswered(flying.attempt, flying.expected_last, "?"))

    def _looked(self, what: str) -> list[fx.Effect]:
        assert self.flying is not None, "nothing is on its way"
        flying = self.flying
        words = {"own": ev.Found.OURS, "other": ev.Found.ANOTHER, "absent": ev.Found.NOTHING}
        looked = ev.Looked(flying.attempt, flying.expected_last + 1, words[what])
        return self.script.tell(looked)

    # ---- in words ------------------------------------------------------------------------------

    def _show(self, effect: fx.Effect) -> str:
        match effect:
            case fx.Append():
                entries = " · ".join(map(_entry, entries_of(effect)))
                group = decode(b"".join(effect.parts))
                later = f" after {effect.delay_s:g} s" if effect.delay_s else ""
                place = f"{group.term}.{group.number} behind {effect.expected_last}"
                return f"append {place}{later}: {entries}"
            case fx.Look():
                return f"look at {effect.message_id}"
            case fx.AskGrant():
                later = f" after {effect.delay_s:g} s" if effect.delay_s else ""
                return f"ask for timestamps: {effect.asked}{later}"
            case fx.ReadEnd():
                later = f" after {effect.delay_s:g} s" if effect.delay_s else ""
                return f"read the end of the log{later}"
            case fx.ReadMeta():
                return "read the meta store"
            case fx.ReadWindow():
                return f"read the window below {effect.term} down to {_stamp(effect.until)}"
            case fx.Answer():
                return f"answer {effect.call}: {_response(effect.response)}"
            case fx.AnswerStored():
                return f"answer {effect.call}: from {effect.message_id}[{effect.index}]"
            case fx.Refuse():
                return f"answer {effect.call}: {type(effect.error).__name__}: {effect.error}"
            case fx.Tell():
                about = {"term": effect.term, "wanted": effect.wanted, "reason": effect.reason}
                known = (f"{name}={value}" for name, value in about.items() if value is not None)
                return f"say: {effect.happening} pchannel={effect.pchannel} {' '.join(known)}"
            case _:
                raise AssertionError(f"{effect} is answered by the script itself")


def _stamp(timestamp: int) -> str:
    seconds = (physical_ms(timestamp) - START_MS) / 1000
    return f"{seconds:g}s" + (f"+{logical(timestamp)}" if logical(timestamp) else "")


def _entry(entry: Entry) -> str:
    stamp = _stamp(entry.timestamp)
    match entry:
        case Rows():
            name = entry.part_id.decode().rstrip(".")
            into = "".join(
                f" {'opens' if s.opens else 'into'} {s.segment_id}" for s in entry.segments
            )
            return f"rows {name}@{stamp}{into}"
        case TermStart():
            return f"TermStart({entry.server_id})@{stamp}"
        case Ddl():
            return f"{entry.kind.value} {entry.version} of {entry.vchannel}@{stamp}"
        case Seal():
            return f"Seal {entry.segment_id}@{stamp}"
        case Tick():
            return f"tick@{stamp}"
        case Digest():
            return f"digest of {len(entry.items)}@{stamp}"


def _response(response: Any) -> str:
    match response:
        case AppendResponse(outcome="done"):
            return f"done at {response.message_id} {_stamp(response.timestamp)}"
        case AppendResponse(outcome="stale"):
            return f"stale, the present version is {response.version}"
        case AppendResponse():
            return f"{response.outcome} {response.reason}".strip()
        case SealResponse():
            return f"sealed {_ids(response.segment_ids)}at {_position(response)}"
        case PositionResponse():
            return f"at {_position(response)}"
        case AppendDdlResponse():
            places = (f"{p.vchannel} {p.position.message_id}" for p in response.positions)
            return "stands in " + ", ".join(places)
        case _:
            return type(response).__name__


def _ids(ids: Sequence[int]) -> str:
    return "".join(f"{i} " for i in ids)


def _position(response: SealResponse | PositionResponse) -> str:
    return f"{response.position.message_id} {_stamp(response.position.timestamp)}"
