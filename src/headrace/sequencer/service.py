"""The sequencers of one proxy process: a machine for each pchannel that it is assigned to sequence.

**Owns** the watch of the assignments, the machines and their drivers, and the requests from peers
and from the proxy itself. **Does not own** the session and the server (the proxy's), or any
decision (`machine`). Whoever is asked for a pchannel that he does not sequence answers `Fenced`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from headrace.log.api import Log
from headrace.meta.api import MetaStore, RangeResult, WatchBatch
from headrace.meta.following import follow, values_of
from headrace.meta.keys import Keys
from headrace.meta.records import CollectionRecord, DdlRecord, SequencerRecord
from headrace.model import codec
from headrace.model.channel import PChannel, pchannel_of
from headrace.model.errors import Corrupt, Fenced, HeadraceError, Unavailable
from headrace.model.ids import Revision, ServerId
from headrace.rpc.api import Handler, Peers
from headrace.rpc.messages import (
    AppendDdlRequest,
    AppendDdlResponse,
    AppendRequest,
    AppendResponse,
    Done,
    LastPositionRequest,
    PositionResponse,
    SealRequest,
    SealResponse,
    StopSequencingRequest,
)
from headrace.runtime.callers import Callers
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.driver import Driver, Source
from headrace.runtime.host import Host
from headrace.runtime.journal import Journal
from headrace.runtime.race import pause
from headrace.runtime.supervise import TaskGroup
from headrace.runtime.telemetry import Telemetry
from headrace.sequencer.append.grant_client import GrantDesk
from headrace.sequencer.effects import Effect
from headrace.sequencer.events import (
    AppendArrived,
    AssignmentRead,
    Call,
    DdlArrived,
    DiskRead,
    Event,
    PositionAsked,
    SealArrived,
    StopAsked,
    TimePassed,
)
from headrace.sequencer.failover.reading import Reading
from headrace.sequencer.machine import SequencerMachine
from headrace.sequencer.settings import SequencerSettings
from headrace.sequencer.shell import Shell


class Sequencers:
    """See the module. Made before the process has its server id, run once it has.

    `server_id` and `address` are those of this process; `master_address` is where the master
    service that leads answers, None while none is known.
    """

    def __init__(
        self,
        *,
        settings: SequencerSettings,
        host: Host,
        telemetry: Telemetry,
        keys: Keys,
        meta: MetaStore,
        log: Log,
        peers: Peers,
        server_id: Callable[[], ServerId | None],
        address: Callable[[], str],
        master_address: Callable[[], str | None],
        crash: CrashPoints | None = None,
        validate: bool = False,
    ) -> None:
        self._settings = settings
        self._host = host
        self._telemetry = telemetry
        self._keys = keys
        self._meta = meta
        self._log = log
        self._peers = peers
        self._server_id = server_id
        self._address = address
        self._master_address = master_address
        self._crash = crash or NoCrashPoints()
        self._validate = validate
        self._callers = Callers()
        self._machines: dict[PChannel, SequencerMachine] = {}
        self._drivers: dict[PChannel, Driver[Event, Effect]] = {}
        self._journals: dict[PChannel, Journal] = {}
        self._stop = asyncio.Event()
        self._stopping = False
        self._group: TaskGroup | None = None
        labels = ("pchannel",)
        self._open = telemetry.gauge("sequencer_open", "1 while requests are taken", labels)
        self._waiting_bytes = telemetry.gauge(
            "sequencer_waiting_bytes", "bytes of parts that have no outcome yet", labels
        )
        self._window_ids = telemetry.gauge(
            "sequencer_window_ids", "ids of requests that are kept", labels
        )
        self._desk = GrantDesk(
            settings=settings,
            clock=host.clock,
            peers=peers,
            master_address=master_address,
            server_id=server_id,
        )

    # ---- for the proxy -----------------------------------------------------------------------

    def handlers(self) -> Mapping[type, Handler]:
        """What peers may ask of the sequencers in this process."""
        return {
            AppendRequest: self.append,
            AppendDdlRequest: self.append_ddl,
            LastPositionRequest: self.last_position,
            SealRequest: self.seal,
            StopSequencingRequest: self.stop_sequencing,
        }

    def sequences(self, pchannel: PChannel) -> bool:
        """Whether this process takes requests for the pchannel now."""
        machine = self._machines.get(pchannel)
        return machine is not None and machine.is_open

    def status(self) -> list[dict[str, Any]]:
        """Every pchannel that this process sequences or has sequenced, for `headrace inspect`."""
        return [self._machines[p].status() for p in sorted(self._machines)]

    def story(self, pchannel: PChannel, mentions: str = "") -> str:
        """The last steps of a pchannel's machine that mention a text, "" if there are none."""
        journal = self._journals.get(pchannel)
        return journal.story(mentions) if journal else ""

    async def append(self, request: AppendRequest) -> AppendResponse:
        """A part of a client's request; see `AppendResponse` for what its outcomes say.

        `Fenced`: another process sequences the pchannel. `Invalid`: the id was used for another
        request, or the part is wrong. Repeat as often as needed, with the same id.
        """
        response: AppendResponse = await self._ask(
            pchannel_of(request.vchannel), lambda call: AppendArrived(call, request)
        )
        return response

    async def append_ddl(self, request: AppendDdlRequest) -> AppendDdlResponse:
        """A recorded DDL; answered when it stands in every vchannel of this pchannel."""
        record = codec.decode(request.record, CollectionRecord, "record")
        ddl = codec.decode(request.ddl, DdlRecord, "ddl")
        response: AppendDdlResponse = await self._ask(
            request.pchannel, lambda call: DdlArrived(call, record, ddl)
        )
        return response

    async def seal(self, request: SealRequest) -> SealResponse:
        """Seals, or a tick, above a timestamp."""
        response: SealResponse = await self._ask(
            request.pchannel, lambda call: SealArrived(call, request)
        )
        return response

    async def last_position(self, request: LastPositionRequest) -> PositionResponse:
        """Of the last message that the sequencer knows to stand."""
        response: PositionResponse = await self._ask(request.pchannel, PositionAsked)
        return response

    async def stop_sequencing(self, request: StopSequencingRequest) -> Done:
        """Answered when nothing more will be appended; a process with another id is `Fenced`."""
        if request.server_id != self._server_id():
            raise Fenced(f"this process is not {request.server_id}")
        if request.pchannel in self._drivers:
            await self._ask(request.pchannel, StopAsked)
        return Done()

    # ---- life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sequence what is assigned until `stop`; raises only what the process must die of."""
        assignments = follow(
            self._meta,
            self._keys.sequencers_prefix,
            self._host,
            self._telemetry.log,
            listed=self._listed,
            changed=self._changed,
        )
        try:
            async with TaskGroup("sequencers") as group:
                self._group = group
                group.spawn("grants", self._desk.run(), must_not_end=True)
                group.spawn("assignments", assignments, must_not_end=True)
                group.spawn("disk", self._watch_disk(), must_not_end=True)
                group.spawn("time", self._tell_time(), must_not_end=True)
                await self._stop.wait()
                self._stopping = True
                await self._let_go()
                group.cancel()
        finally:
            self._stopping = True
            self._callers.refuse_all(
                Unavailable("this process has ended before it knew the outcome")
            )

    def stop(self) -> None:
        """End `run`: take nothing more, wait a little for what is on its way, let go."""
        self._stop.set()

    async def _let_go(self) -> None:
        asked: list[asyncio.Future[Any]] = []
        for pchannel in sorted(self._drivers):
            call, future = self._callers.open()
            self._drivers[pchannel].post(StopAsked(call, for_good=True), Source.PROCESS)
            asked.append(future)
        if not asked:
            return
        every = asyncio.gather(*asked, return_exceptions=True)
        await pause(self._host.clock, self._settings.stop_timeout_s, every)

    async def _ask(self, pchannel: PChannel, event: Callable[[Call], Event]) -> Any:
        driver = self._drivers.get(pchannel)
        if driver is None or self._stopping:
            raise Fenced(f"this process does not sequence {pchannel}")
        return await self._callers.ask(driver.post, event)

    async def _tell_time(self) -> None:
        while True:
            await self._host.clock.sleep(self._settings.time_step_s)
            for driver in self._drivers.values():
                driver.post(TimePassed(), Source.CLOCK)

    # ---- assignments
    # ------------------------------------------------------------------------------

    def _listed(self, found: RangeResult) -> None:
        there = {item.key for item in found.items}
        for item in found.items:
            self._assignment(item.key, item.value, item.mod_revision)
        for pchannel in sorted(self._drivers):
            if self._keys.sequencer(pchannel) not in there:
                self._assignment(self._keys.sequencer(pchannel), None, found.revision)

    def _changed(self, batch: WatchBatch) -> None:
        for key, value, revision in values_of(batch):
            self._assignment(key, value, revision)

    def _assignment(self, key: str, value: bytes | None, revision: Revision) -> None:
        pchannel = key.removeprefix(self._keys.sequencers_prefix)
        wanted: ServerId = 0
        try:
            if value is not None:
                wanted = codec.decode(value, SequencerRecord, key).server_id
        except Corrupt as error:
            self._telemetry.log.error("a assignment cannot be read", reason=error.message)
            return
        own = self._server_id()
        if pchannel not in self._drivers:
            if wanted == 0 or wanted != own:
                return
            self._start(pchannel, wanted)
        self._drivers[pchannel].post(AssignmentRead(wanted, revision), Source.WATCH)

    def _start(self, pchannel: PChannel, server_id: ServerId) -> None:
        assert self._group is not None, "the service runs"
        journal = self._journals[pchannel] = Journal()
        machine = journal.begin(
            SequencerMachine, pchannel, server_id, self._address(), self._settings
        )
        shell = Shell(
            pchannel=pchannel,
            settings=self._settings,
            host=self._host,
            telemetry=self._telemetry,
            log=self._log,
            peers=self._peers,
            reading=Reading(
                pchannel, self._keys, self._meta, self._log, self._host.clock, self._settings
            ),
            desk=self._desk,
            callers=self._callers,
            master_address=self._master_address,
            crash=self._crash,
        )
        driver: Driver[Event, Effect] = Driver(
            machine,
            shell.perform,
            self._host.clock,
            name=f"sequencer {pchannel}",
            journal=journal.record,
            validate=self._validate,
        )
        self._machines[pchannel] = machine
        self._drivers[pchannel] = driver
        self._group.spawn(pchannel, _run(pchannel, driver, journal), must_not_end=True)

    async def _watch_disk(self) -> None:
        """How much the log's disk still takes; not known is not low."""
        while True:
            try:
                free_bytes = await self._log.free_bytes()
            except HeadraceError as error:
                self._telemetry.log.debug("free space is not known", reason=error.message)
            else:
                for driver in self._drivers.values():
                    driver.post(DiskRead(free_bytes), Source.CLOCK)
            self._measure()
            await self._host.clock.sleep(self._settings.disk_step_s)

    def _measure(self) -> None:
        for pchannel, machine in self._machines.items():
            told = machine.status()
            self._waiting_bytes.labels(pchannel).set(told.get("waiting_bytes", 0))
            self._window_ids.labels(pchannel).set(told.get("window_ids", 0))
            self._open.labels(pchannel).set(machine.is_open)


async def _run(pchannel: PChannel, driver: Driver[Event, Effect], journal: Journal) -> None:
    with journal.told_on_assertion(f"the sequencer of {pchannel}"):
        await driver.run()
