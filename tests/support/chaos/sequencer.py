"""Several processes that may sequence one pchannel, a log that may do all that it may, and chance.

**Owns** a small world around the pure machines: one seed gives one run. **Does not own** the rules
(the machines), or what runs in an event loop (`headrace.sim`).

The world is that of the executable model: every append ever sent may be taken later, any number of
times, or never, if the id that it names is the last; every answer may be lost; a get may say
"absent"; a process may stand still for as long as chance likes, or die and come back as another
one; the master service changes its assignment, records one DDL after the other and notes what
stands. Clients repeat a request under its id, through any process, or give up once they are told
that nothing was appended.
"""

import random
from dataclasses import dataclass, field, replace
from typing import Any

from headrace.meta.records import CollectionRecord, DdlRecord
from headrace.model.entry import Ddl, DdlKind, DigestItem, Rows, same_bytes
from headrace.model.errors import Fenced, Invalid
from headrace.model.timestamp import Timestamp, compose
from headrace.rpc.messages import AppendDdlResponse, AppendRequest, AppendResponse, SealRequest
from headrace.sequencer.effects import (
    Answer,
    AnswerStored,
    Append,
    AskGrant,
    Effect,
    LeaseIds,
    Look,
    ReadEnd,
    ReadMeta,
    ReadWindow,
    Refuse,
    Tell,
)
from headrace.sequencer.events import (
    AppendAnswered,
    AppendArrived,
    AppendUnanswered,
    AssignmentRead,
    DdlArrived,
    EndRead,
    Event,
    Found,
    Granted,
    GrantUnanswered,
    GrantWithheld,
    IdsLeased,
    Looked,
    MetaRead,
    MetaView,
    Past,
    ReadFailed,
    SealArrived,
    TimePassed,
    VChannelView,
    WindowRead,
)
from headrace.sequencer.machine import SequencerMachine
from headrace.sequencer.requests.window import items_of
from headrace.sequencer.settings import SequencerSettings
from support.chaos.checked_log import CheckedLog, Violation
from support.players.sequencer import (
    PCHANNEL,
    START_MS,
    collection,
    ddl,
    part,
)

SETTINGS = SequencerSettings(
    window_keyed_s=40,
    window_other_s=20,
    first_sent_lead_s=15,
    segment_bytes_max=250,
    segment_age_s=20.0,
    segment_idle_s=10.0,
    tick_idle_s=5.0,
    ids_lease=50,
    grant_count=12,
    group_entries_max=10,
    group_bytes_max=2000,
    entry_bytes_max=1000,
    stop_forgotten_s=3.0,
    digest_messages=6,
)


@dataclass(slots=True)
class Process:
    """One process and what is on its way from and to it."""

    server_id: int
    machine: SequencerMachine
    orders: list[Effect] = field(default_factory=list)
    assignments: list[AssignmentRead] = field(default_factory=list)


@dataclass(slots=True)
class Client:
    """One request and what its client knows."""

    request: AppendRequest
    gives_up: bool  # at the first word that nothing was appended
    calls: int = 0
    answer: AppendResponse | None = None
    unsure: bool = False  # a call ended without a word
    gave_up: bool = False


class Chaos:
    """One run. `run` makes `steps` steps of chance, then lets everything come to its end."""

    def __init__(self, seed: int, *, away: bool = True) -> None:
        self.random = random.Random(seed)
        self.away = away
        self.calm = False
        self.now = 0.0
        self.log = CheckedLog(in_time=not away)
        self.net: list[tuple[int, bytes]] = []
        self.last_granted: Timestamp = compose(START_MS)
        self.ids = 1
        self.servers = 0
        self.processes = [self._process() for _ in range(3)]
        self.wanted, self.revision = 0, 1
        self.record: CollectionRecord = collection(1, noted=0)
        self.ddls: dict[int, DdlRecord] = {1: ddl(1)}
        self.clients: list[Client] = []
        self.calls: dict[int, Client | str] = {}
        self.trace: list[str] = []
        self.versions: dict[int, int] = {}  # that calls of clients named
        self.stale: list[tuple[bytes, int]] = []  # parts and versions that were refused
        self._assignment(self.processes[0].server_id)

    def run(self, steps: int = 250) -> "Chaos":
        """Chance, then calm; raises `Violation` (or AssertionError) where something is wrong."""
        moves = (
            [self._carry_out] * 12
            + [self._send] * 4
            + [self._let_in] * 2
            + [self._tell_assignment] * 2
            + [self._tell_time] * 2
            + [self._pass_time] * 2
            + [self._ask_ddl] * 2
            + [
                self._new_assignment,
                self._grant_to_others,
                self._crash,
                self._ask_ddl,
                self._record_ddl,
                self._ask_seal,
            ]
        )
        for _ in range(steps):
            self.random.choice(moves)()
        self._settle()
        return self

    # ---- moves -------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        busy = [p for p in self.processes if p.orders]
        if busy:
            process = self.random.choice(busy)
            order = process.orders.pop(self.random.randrange(len(process.orders)))
            self._tell(process, self._do(process, order))

    def _send(self) -> None:
        """A client sends its request, for the first time or again."""
        waiting = [c for c in self.clients if c.answer is None and not c.gave_up]
        fresh = len(self.clients) < 12 and (not waiting or self.random.random() < 0.4)
        if fresh and not self.calm:
            name = f"r{len(self.clients)}"
            request = part(
                name,
                first_sent=self.last_granted,
                vchannel=self.random.choice(self.record.vchannels),
                keyed=self.random.random() < 0.5,
                version=max(1, self.record.noted),
                deadline_ms=self.random.choice([3000, 60_000]),
                rows=self.random.randint(1, 3),
            )
            self.clients.append(Client(request, gives_up=self.random.random() < 0.3))
            waiting = self.clients[-1:]
        if waiting:
            client = self.random.choice(waiting)
            client.calls += 1
            call = self._call(client)
            self._tell(self._somebody(), AppendArrived(call, client.request))

    def _let_in(self) -> None:
        """An append that was sent some time ago arrives."""
        if self.net:
            place, data = self.random.choice(self.net)
            self.log.take(place, data)

    def _tell_assignment(self) -> None:
        behind = [p for p in self.processes if p.assignments]
        if behind:
            process = self.random.choice(behind)
            self._tell(process, process.assignments.pop(0))

    def _tell_time(self) -> None:
        self._tell(self.random.choice(self.processes), TimePassed())

    def _pass_time(self) -> None:
        self.now += self.random.choice([0.05, 0.5, 0.5, 3.0, 3.0, 3.0, 21.0])

    def _new_assignment(self) -> None:
        self._assignment(self.random.choice(self.processes).server_id)

    def _grant_to_others(self) -> None:
        self.last_granted = max(self.last_granted + 1, compose(START_MS + int(self.now * 1000)))

    def _crash(self) -> None:
        number = self.random.randrange(len(self.processes))
        if self.random.random() < 0.5:
            self.processes[number] = self._process()
            self._catch_up(self.processes[number])

    def _record_ddl(self) -> None:
        if self.record.noted == self.record.version:
            version = self.record.version + 1
            kind = self.random.choice([DdlKind.RENAME, DdlKind.ALTER])
            self.record = replace(self.record, version=version)
            self.ddls[version] = ddl(version, kind)

    def _ask_ddl(self) -> None:
        if self.record.noted < self.record.version:
            call = self._call("ddl")
            event = DdlArrived(call, self.record, self.ddls[self.record.version])
            self._tell(self._somebody(), event)

    def _ask_seal(self) -> None:
        request = SealRequest(pchannel=PCHANNEL, collection_id=0, above=self.last_granted)
        self._tell(self._somebody(), SealArrived(self._call("seal"), request))

    # ---- what is ordered -----------------------------------------------------------------------

    def _do(self, process: Process, order: Effect) -> Event | None:
        chance = 1.0 if self.calm else self.random.random()
        match order:
            case ReadEnd(attempt):
                if chance < 0.1:
                    return ReadFailed(attempt, "away")
                last = self.log.groups[-1].last_timestamp if self.log.groups else 0
                return EndRead(attempt, len(self.log.messages), last, 0)
            case ReadMeta(attempt):
                return ReadFailed(attempt, "away") if chance < 0.1 else self._meta(attempt)
            case ReadWindow(attempt, term):
                return WindowRead(attempt, self._past(term))
            case Append():
                return self._append(order, chance)
            case Look(attempt, message_id):
                there = message_id <= len(self.log.messages) and chance > 0.3
                ours = there and same_bytes(order.parts, self.log.messages[message_id - 1])
                found = Found.OURS if ours else Found.ANOTHER if there else Found.NOTHING
                return Looked(attempt, message_id, found)
            case AskGrant(asked):
                return self._grant(process, asked, chance)
            case LeaseIds(count):
                self.ids += count
                return IdsLeased(self.ids - count, count)
            case AnswerStored():
                self._answer_stored(order)
            case _:
                raise AssertionError(f"{order} is done at once")
        return None

    def _append(self, order: Append, chance: float) -> Event:
        data = b"".join(order.parts)
        if chance > 0.35:
            if self.log.take(order.expected_last, data):
                return AppendAnswered(order.attempt, order.expected_last, len(self.log.messages))
        elif chance > 0.15:
            self.log.take(order.expected_last, data)
        self.net.append((order.expected_last, data))
        return AppendUnanswered(order.attempt, order.expected_last, "no outcome")

    def _meta(self, attempt: int) -> MetaRead:
        record = self.record
        noted = self.ddls[record.noted] if record.noted else None
        recorded = self.ddls[record.version] if record.version > record.noted else None
        views = tuple(VChannelView(v, record, noted, recorded) for v in record.vchannels)
        return MetaRead(attempt, MetaView(self.wanted, self.revision, 0, views))

    def _past(self, term: int) -> Past:
        items: list[DigestItem] = []
        for number, group in enumerate(self.log.groups[: term - 1], 1):
            items += items_of(number, group.entries)
        return Past(tuple(items), tuple(items), 0, 0, 0, 0, len(items))

    def _grant(self, process: Process, asked: int, chance: float) -> Event:
        if self.away and chance < 0.25:
            return GrantUnanswered(asked, "away")
        if self.wanted != process.server_id:
            return GrantWithheld(asked)
        first = max(self.last_granted + 1, compose(START_MS + int(self.now * 1000)))
        self.last_granted = first + SETTINGS.grant_count - 1
        if self.away and chance < 0.4:
            return GrantUnanswered(asked, "the answer was lost")
        return Granted(asked, first, SETTINGS.grant_count)

    # ---- answers -------------------------------------------------------------------------------

    def _answered(self, call: int, response: Any) -> None:
        caller = self.calls.pop(call, None)
        if caller is None:
            raise Violation(f"call {call} was answered twice: {response}")
        lost = not self.calm and self.random.random() < 0.15
        if isinstance(caller, Client):
            self._client_told(caller, response, lost, self.versions.pop(call))
        elif isinstance(response, AppendDdlResponse) and not lost:
            self._note(response)

    def _client_told(self, client: Client, response: Any, lost: bool, version: int) -> None:
        surely_not = isinstance(response, Fenced) or (
            isinstance(response, AppendResponse) and response.outcome in ("refused", "stale")
        )
        if lost or not (surely_not or isinstance(response, AppendResponse)):
            client.unsure = True
            if isinstance(response, Invalid):
                raise Violation(f"{response} of a request that is right")
        elif isinstance(response, AppendResponse) and response.outcome == "stale":
            if client.request.part_id in self.log.stands:
                raise Violation(f"RQ-1 {client.request.part_id!r} stands and is called stale")
            self.stale.append((client.request.part_id, version))
            client.request = replace(client.request, version=response.version)
        elif surely_not:
            client.gave_up = client.gives_up and client.calls == 1
        elif isinstance(response, AppendResponse):
            self._acknowledged(client, response)

    def _acknowledged(self, client: Client, response: AppendResponse) -> None:
        client.answer = response
        if response.outcome != "done":
            return
        stood = self.log.stands.get(client.request.part_id)
        if stood is None or stood[0] != response.message_id:
            raise Violation(f"DL-1 {client.request.part_id!r} is acknowledged, but {stood}")
        if response.timestamp and stood[1].timestamp != response.timestamp:
            raise Violation(f"DL-1 {client.request.part_id!r} has another timestamp")

    def _answer_stored(self, order: AnswerStored) -> None:
        entry = self.log.groups[order.message_id - 1].entries[order.index]
        assert isinstance(entry, Rows) and entry.part_id == order.part_id
        response = AppendResponse(
            outcome="done",
            timestamp=entry.timestamp,
            message_id=order.message_id,
            repeated=True,
        )
        self._answered(order.call, response)

    def _note(self, response: AppendDdlResponse) -> None:
        """The master service notes the DDL that stands, comparing."""
        version = self.record.version
        positions = {p.vchannel: p.position for p in response.positions}
        for vchannel, position in positions.items():
            if position.message_id == 0:
                continue
            if position.message_id > len(self.log.groups):
                raise Violation(f"DD-1 nothing stands at {position}")
            entries = self.log.groups[position.message_id - 1].entries
            found = [e for e in entries if isinstance(e, Ddl) and e.vchannel == vchannel]
            if not found:
                raise Violation(f"DD-1 no DDL stands at {position}")
            if found[0].version != version:
                return
        if self.record.noted < version:
            self.record = replace(self.record, noted=version)
            self.ddls[version] = replace(self.ddls[version], noted=True, positions=positions)

    # ---- the calm ------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No faults any more: everything comes to its end."""
        self.calm = True
        if self.wanted not in [p.server_id for p in self.processes]:
            self._assignment(self.processes[0].server_id)
        wanted = next(p for p in self.processes if p.server_id == self.wanted)
        for _ in range(400):
            self.now += 0.3
            for process in self.processes:
                while process.assignments:
                    self._tell(process, process.assignments.pop(0))
                self._tell(process, TimePassed())
                while process.orders:
                    order = process.orders.pop(0)
                    self._tell(process, self._do(process, order))
            self._ask_ddl()
            for client in self.clients:
                if client.answer is None and not client.gave_up:
                    client.calls += 1
                    call = self._call(client)
                    self._tell(wanted, AppendArrived(call, client.request))
            if self._over():
                break
        else:
            raise Violation("LIVE it never comes to its end")
        self._check_end()

    def _over(self) -> bool:
        answered = all(c.answer is not None or c.gave_up for c in self.clients)
        return answered and self.record.noted == self.record.version

    def _check_end(self) -> None:
        for client in self.clients:
            part_id = client.request.part_id
            if client.gave_up and client.calls == 1 and part_id in self.log.stands:
                raise Violation(f"RQ-1 {part_id!r} stands, and its client was told otherwise")
        for part_id, version in self.stale:
            stood = self.log.stands.get(part_id)
            if stood is not None and stood[1].version == version:
                raise Violation(f"RQ-1 {part_id!r} was refused as stale and stands as it was")
        self.log.check_ids()

    # ---- parts ---------------------------------------------------------------------------------

    def _process(self) -> Process:
        self.servers += 1
        machine = SequencerMachine(PCHANNEL, self.servers, "x", SETTINGS)
        return Process(self.servers, machine)

    def _assignment(self, server_id: int) -> None:
        self.wanted, self.revision = server_id, self.revision + 1
        for process in self.processes:
            process.assignments.append(AssignmentRead(server_id, self.revision))

    def _catch_up(self, process: Process) -> None:
        process.assignments = [AssignmentRead(self.wanted, self.revision)]

    def _somebody(self) -> Process:
        wanted = [p for p in self.processes if p.server_id == self.wanted]
        return wanted[0] if wanted and self.random.random() < 0.7 else self._anybody()

    def _anybody(self) -> Process:
        return self.random.choice(self.processes)

    def _call(self, caller: Client | str) -> int:
        call = len(self.trace) + 1_000_000 + len(self.calls)
        while call in self.calls:
            call += 1
        self.calls[call] = caller
        if isinstance(caller, Client):
            self.versions[call] = caller.request.version
        return call

    def _tell(self, process: Process, event: Event | None) -> None:
        if event is None:
            return
        effects = process.machine.step(event, self.now)
        self.trace.append(f"{self.now:.2f} {process.server_id} {event!r:.200}")
        for effect in effects:
            match effect:
                case Answer():
                    self._answered(effect.call, effect.response)
                case Refuse():
                    self._answered(effect.call, effect.error)
                case Tell():
                    pass
                case _:
                    process.orders.append(effect)
