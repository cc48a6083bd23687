"""Focused scenes of the sequencer: traces of the executable model (`model.append`).

Machines and shells are production's; the log and the meta store are in memory. All that stands in
the log is checked as the scenes by chance check it. Processes have one server id: each finds itself
wanted whenever it asks, as if the assignment had come back to it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from support.chaos.checked_log import CheckedLog
from support.players.sequencer import (
    ME,
    PCHANNEL,
    Script,
    at,
    collection,
    ddl,
    of,
    part,
    view,
)
from support.world.sequencer import World

from headrace.meta.records import CollectionRecord, DdlRecord, PChannelRecord
from headrace.model.entry import DdlKind, Rows
from headrace.model.errors import Conflict
from headrace.model.group import decode
from headrace.model.invariants import violated
from headrace.rpc.messages import AppendDdlResponse, AppendResponse
from headrace.runtime.callers import Callers
from headrace.sequencer import effects as fx
from headrace.sequencer.append.grant_client import GrantClient
from headrace.sequencer.events import AssignmentRead, GrantUnanswered
from headrace.sequencer.settings import SequencerSettings
from headrace.sequencer.shell import Shell
from mutants.scenes.parts import told

CARRIED_OUT = (fx.ReadEnd, fx.ReadMeta, fx.ReadWindow, fx.Append, fx.Look)


class Unchecked(Script):
    """Without `validate`: it is the log that is looked at."""

    def _step(self, event: Any) -> list[fx.Effect]:
        return list(self.machine.step(event, self.now))


class Process:
    """A machine, the shell that carries out its orders, and the orders that wait."""

    def __init__(self, world: World, now: float = 0.0) -> None:
        self.script = Unchecked()
        self.script.now = now
        self.waiting: list[fx.Effect] = []
        around = world.process(SequencerSettings(), "p")
        self._shell = Shell(
            PCHANNEL,
            around,
            grant_client=GrantClient.__new__(GrantClient),  # grants come from the script
            callers=Callers(),
            master_address=lambda: None,
        )

    def order(self, effects: Sequence[fx.Effect]) -> None:
        """These are to be carried out, after what waits already."""
        self.waiting += [e for e in effects if isinstance(e, CARRIED_OUT)]

    async def go_on(self, until: tuple[type[fx.Effect], ...] = ()) -> None:
        """Carry out what waits, until nothing does or the next is of one of these kinds."""
        while self.waiting and not isinstance(self.waiting[0], until):
            event = await self._shell.perform(self.waiting.pop(0))
            assert event is not None
            self.order(self.script.tell(event))

    def take_over(self, revision: int = 10) -> None:
        """It is told that it is wanted."""
        self.order(self.script.tell(AssignmentRead(ME, revision)))

    def ask(self, name: str, **changes: Any) -> int:
        """A client sends a part."""
        call, effects = self.script.append(part(name, **changes))
        self.order(effects)
        return call

    async def append_ddl(self, record: CollectionRecord, item: DdlRecord) -> AppendDdlResponse:
        """The master service has a DDL appended."""
        call, effects = self.script.ddl(record, item)
        self.order(effects)
        await self.go_on()
        [answer] = self.script.answers(call)
        assert isinstance(answer, AppendDdlResponse)
        return answer


class Stage:
    """One pchannel with one collection; `first` is its first sequencer."""

    def __init__(self) -> None:
        self.world = World()
        self.first = Process(self.world)

    async def begin(self) -> None:
        """The first process sequences; the collection's creation stands and is noted."""
        world = self.world
        world.log.ensure(PCHANNEL)
        record = collection(1, noted=0)
        await world.put(world.keys.pchannel(PCHANNEL), PChannelRecord(vchannels=record.vchannels))
        await world.collection(record, ddl(1))
        await world.assignment(ME)
        self.first.take_over()
        await self.first.go_on()
        answer = await self.first.append_ddl(record, ddl(1))
        await self.note(answer, DdlKind.CREATE, 1)

    async def raise_version(self) -> None:
        """The first process appends version 2, which is noted."""
        record = collection(2, noted=1)
        await self.world.collection(record, ddl(2, DdlKind.ALTER))
        answer = await self.first.append_ddl(record, ddl(2, DdlKind.ALTER))
        await self.note(answer, DdlKind.ALTER, 2)

    async def note(self, answer: AppendDdlResponse, kind: DdlKind, version: int) -> None:
        """The master service notes what stands."""
        places = {p.vchannel: p.position for p in answer.positions}
        item = ddl(version, kind, noted=True, positions=places)
        await self.world.collection(collection(version), item)

    def let_in(self, append: fx.Append) -> None:
        """A message that was on its way for long arrives."""
        with suppress(Conflict):
            self.world.log.append(PCHANNEL, b"".join(append.parts), append.expected_last)

    def check(self) -> None:
        """All that stands."""
        log = CheckedLog(in_time=False)
        for message in self.world.log.messages(PCHANNEL):
            log.take(len(log.messages), message.data)

    def stands(self, name: str) -> list[int]:
        """Where the part stands."""
        wanted = part(name).part_id
        return [
            number
            for number, message in enumerate(self.world.log.messages(PCHANNEL), 1)
            for entry in decode(message.data).entries
            if isinstance(entry, Rows) and entry.part_id == wanted
        ]

    def check_answer(self, process: Process, call: int, name: str) -> None:
        """RQ-1 and DL-1, as the model has them."""
        for answer in process.script.answers(call):
            if not isinstance(answer, AppendResponse):
                continue
            if answer.outcome == "stale" and self.stands(name):
                violated("RQ-1", f"{name} stands at {self.stands(name)} and is called stale")
            if answer.outcome == "done" and answer.message_id not in self.stands(name):
                violated("DL-1", f"{name} is acknowledged at {answer.message_id}")


def play(work: Callable[[Stage], Awaitable[None]]) -> Iterator[str]:
    """What the scene raises."""

    async def whole(stage: Stage) -> None:
        await stage.begin()
        await work(stage)
        stage.check()

    def run() -> None:
        stage = Stage()
        asyncio.run(stage.world.clock.run(whole(stage)))

    yield told(run)


# ---- the log -------------------------------------------------------------------------------------


def late_term_start() -> Iterator[str]:
    """Between a candidate's read of the end and its TermStart a row is appended."""

    async def work(stage: Stage) -> None:
        second = Process(stage.world)
        second.take_over()
        await second.go_on(until=(fx.Append,))
        stage.first.script.now = 5.0
        stage.first.script.wait(1.0)
        stage.first.ask("a")
        await stage.first.go_on()
        await second.go_on(until=(fx.Look, fx.ReadMeta))

    return play(work)


def two_in_flight() -> Iterator[str]:
    """Two parts of one term are sent, the first never arrives; a TermStart stands in its place."""

    async def work(stage: Stage) -> None:
        first, second = stage.first, Process(stage.world, now=5.0)
        first.ask("a")
        first.ask("b")
        sent, first.waiting = of(fx.Append, first.waiting), []
        second.take_over()
        await second.go_on(until=(fx.ReadMeta,))
        for append in sent:
            stage.let_in(append)

    return play(work)


def another_in_its_place() -> Iterator[str]:
    """A row never arrives, a TermStart stands in its place, and its sender looks."""

    async def work(stage: Stage) -> None:
        first, second = stage.first, Process(stage.world, now=5.0)
        call = first.ask("a")
        second.take_over()
        await second.go_on(until=(fx.ReadMeta,))
        await first.go_on(until=(fx.ReadEnd,))
        stage.check_answer(first, call, "a")

    return play(work)


# ---- what a new sequencer reads ------------------------------------------------------------------


def ddl_before_the_term() -> Iterator[str]:
    """A DDL is appended and noted before a candidate reads the end of the log."""

    async def work(stage: Stage) -> None:
        second = Process(stage.world, now=5.0)
        second.take_over()
        await second.go_on(until=(fx.ReadEnd,))
        await stage.raise_version()
        await second.go_on()
        second.ask("a", version=1)
        await second.go_on()

    return play(work)


def noted_above() -> Iterator[str]:
    """A TermStart stands, and its process learns it only after another has taken over, has appended
    a row and a DDL, and the DDL is noted."""

    async def work(stage: Stage) -> None:
        slow = Process(stage.world, now=1.0)
        slow.take_over()
        await slow.go_on(until=(fx.ReadMeta,))
        stage.first = Process(stage.world, now=5.0)
        stage.first.take_over()
        await stage.first.go_on()
        stage.first.ask("a")
        await stage.first.go_on()
        await stage.raise_version()
        await slow.go_on()
        call = slow.ask("a")
        stage.check_answer(slow, call, "a")

    return play(work)


# ---- requests ------------------------------------------------------------------------------------


def ddl_that_never_stands() -> Iterator[str]:
    """A process that was replaced sends a DDL; the row that it is asked for stands already."""

    async def work(stage: Stage) -> None:
        first, second = stage.first, Process(stage.world, now=5.0)
        second.take_over()
        await second.go_on()
        second.ask("a")
        await second.go_on()
        first.script.ddl(collection(2, noted=1), ddl(2, DdlKind.ALTER))
        call = first.ask("a")
        stage.check_answer(first, call, "a")

    return play(work)


def sent_ahead_of_its_timestamp() -> Iterator[str]:
    """While the master service is away an old grant is used for a part that was first sent above
    it; the window passes its timestamp, and then the part is repeated."""

    def run() -> None:
        script = Unchecked(grants=False, window_other_s=20, first_sent_lead_s=15)
        log = CheckedLog(in_time=False)

        def all_stand(effects: Sequence[fx.Effect]) -> None:
            while appends := of(fx.Append, effects):
                log.take(appends[0].expected_last, b"".join(appends[0].parts))
                effects = script.stands(appends[0])

        ahead = part("a", first_sent=at(10))
        script.open(view(collection(1, noted=0), None, ddl(1)), last=0)
        [term_start] = of(fx.Append, script.effects)
        log.take(0, b"".join(term_start.parts))
        all_stand(script.tell(script.grant()))
        script.append(ahead)
        all_stand(script.tell(GrantUnanswered(script.asked, "away")))
        script.now, script.grants = 25.0, True
        script.tell(script.grant())
        all_stand(script.append(part("b", first_sent=at(24)))[1])
        assert len(log.stands) == 2, log.stands
        all_stand(script.append(ahead)[1])

    yield told(run)
