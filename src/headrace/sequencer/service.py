"""The sequencers of one proxy process: a machine for each pchannel that it is assigned to sequence.

A process that is asked for a pchannel that it does not sequence answers `Fenced`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from headrace.frame.actor import Actor, every
from headrace.frame.surroundings import Surroundings
from headrace.meta.api import RangeResult, WatchBatch
from headrace.meta.following import follow, values_of
from headrace.meta.records import SequencerRecord
from headrace.model import codec
from headrace.model.channel import PChannel, pchannel_of
from headrace.model.errors import Corrupt, Fenced, HeadraceError
from headrace.model.ids import Revision, ServerId
from headrace.rpc import messages as m
from headrace.rpc.api import Handler
from headrace.runtime.callers import Callers
from headrace.runtime.driver import Source
from headrace.runtime.race import pause
from headrace.runtime.supervise import TaskGroup
from headrace.sequencer import events as ev
from headrace.sequencer.append.grant_client import GrantClient
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
        around: Surroundings[SequencerSettings],
        *,
        server_id: Callable[[], ServerId | None],
        address: Callable[[], str],
        master_address: Callable[[], str | None],
    ) -> None:
        self._around = around
        self._settings = around.settings
        self._clock = around.host.clock
        self._log = around.telemetry.log
        self._server_id = server_id
        self._address = address
        self._master_address = master_address
        self._actors: dict[PChannel, Actor[SequencerMachine, ev.Event]] = {}
        self._stop = asyncio.Event()
        self._stopping = False
        self._group: TaskGroup | None = None
        labels, gauge = ("pchannel",), around.telemetry.gauge
        self._open = gauge("sequencer_open", "1 while requests are taken", labels)
        self._waiting_bytes = gauge(
            "sequencer_waiting_bytes", "bytes of parts that have no outcome yet", labels
        )
        self._window_ids = gauge("sequencer_window_ids", "ids of requests that are kept", labels)
        self._grant_client = GrantClient(
            settings=around.settings,
            clock=self._clock,
            peers=around.peers,
            master_address=master_address,
            server_id=server_id,
        )

    # ---- for the proxy -----------------------------------------------------------------------

    def handlers(self) -> Mapping[type, Handler]:
        """What peers may ask of the sequencers in this process."""
        return {
            m.AppendRequest: self.append,
            m.AppendDdlRequest: self.append_ddl,
            m.LastPositionRequest: self.last_position,
            m.SealRequest: self.seal,
            m.StopSequencingRequest: self.stop_sequencing,
        }

    def sequences(self, pchannel: PChannel) -> bool:
        """Whether this process takes requests for the pchannel now."""
        actor = self._actors.get(pchannel)
        return actor is not None and actor.machine.is_open

    def status(self) -> list[dict[str, Any]]:
        """Every pchannel that this process sequences or has sequenced, for `headrace inspect`."""
        return [actor.machine.status() for _, actor in sorted(self._actors.items())]

    async def append(self, request: m.AppendRequest) -> m.AppendResponse:
        """A part of a client's request; see `AppendResponse` for what its outcomes say.

        `Fenced`: another process sequences the pchannel. `Invalid`: the id was used for another
        request, or the part is wrong. Repeat as often as needed, with the same id.
        """
        response: m.AppendResponse = await self._ask(
            pchannel_of(request.vchannel), lambda call: ev.AppendArrived(call, request)
        )
        return response

    async def append_ddl(self, request: m.AppendDdlRequest) -> m.AppendDdlResponse:
        """A recorded DDL; answered when it stands in every vchannel of this pchannel."""
        response: m.AppendDdlResponse = await self._ask(
            request.pchannel, lambda call: ev.DdlArrived(call, request.record, request.ddl)
        )
        return response

    async def seal(self, request: m.SealRequest) -> m.SealResponse:
        """Seals, or a tick, above a timestamp."""
        response: m.SealResponse = await self._ask(
            request.pchannel, lambda call: ev.SealArrived(call, request)
        )
        return response

    async def last_position(self, request: m.LastPositionRequest) -> m.PositionResponse:
        """Of the last message that the sequencer knows to stand."""
        response: m.PositionResponse = await self._ask(request.pchannel, ev.PositionAsked)
        return response

    async def stop_sequencing(self, request: m.StopSequencingRequest) -> m.Done:
        """Answered when nothing more will be appended; a process with another id is `Fenced`."""
        if request.server_id != self._server_id():
            raise Fenced(f"this process is not {request.server_id}")
        if request.pchannel in self._actors:
            await self._ask(request.pchannel, ev.StopAsked)
        return m.Done()

    # ---- life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sequence what is assigned until `stop`; raises only what the process must die of."""
        around, settings = self._around, self._settings
        assignments = follow(
            around.meta,
            around.keys.sequencers_prefix,
            around.host,
            self._log,
            listed=self._listed,
            changed=self._changed,
        )
        try:
            async with TaskGroup("sequencers") as group:
                self._group = group
                group.spawn("grants", self._grant_client.run(), must_not_end=True)
                group.spawn("assignments", assignments, must_not_end=True)
                group.spawn("disk", self._watch_disk(), must_not_end=True)
                time = every(self._clock, settings.time_step_s, self._pass_time)
                group.spawn("time", time, must_not_end=True)
                await self._stop.wait()
                self._stopping = True
                await self._let_go()
                group.cancel()
        finally:
            self._stopping = True

    def stop(self) -> None:
        self._stop.set()

    async def _let_go(self) -> None:
        asked = [
            actor.ask(lambda call: ev.StopAsked(call, for_good=True), Source.PROCESS)
            for _, actor in sorted(self._actors.items())
        ]
        every_answer = asyncio.gather(*asked, return_exceptions=True)
        await pause(self._clock, self._settings.stop_timeout_s, every_answer)

    async def _ask(self, pchannel: PChannel, event: Callable[[ev.Call], ev.Event]) -> Any:
        actor = self._actors.get(pchannel)
        if actor is None or self._stopping:
            raise Fenced(f"this process does not sequence {pchannel}")
        return await actor.ask(event)

    def _post(self, event: ev.Event) -> None:
        for actor in self._actors.values():
            actor.post(event, Source.CLOCK)

    def _pass_time(self) -> None:
        self._post(ev.TimePassed())

    # ---- assignments -------------------------------------------------------------------------

    def _listed(self, found: RangeResult) -> None:
        there = {item.key for item in found.items}
        for item in found.items:
            self._assignment(item.key, item.value, item.mod_revision)
        for pchannel in sorted(self._actors):
            key = self._around.keys.sequencer(pchannel)
            if key not in there:
                self._assignment(key, None, found.revision)

    def _changed(self, batch: WatchBatch) -> None:
        for key, value, revision in values_of(batch):
            self._assignment(key, value, revision)

    def _assignment(self, key: str, value: bytes | None, revision: Revision) -> None:
        pchannel = key.removeprefix(self._around.keys.sequencers_prefix)
        wanted: ServerId = 0
        try:
            if value is not None:
                wanted = codec.decode(value, SequencerRecord, key).server_id
        except Corrupt as error:
            self._log.error("an assignment cannot be read", reason=error.message)
            return
        if pchannel not in self._actors:
            if wanted == 0 or wanted != self._server_id():
                return
            self._start(pchannel, wanted)
        self._actors[pchannel].post(ev.AssignmentRead(wanted, revision), Source.WATCH)

    def _start(self, pchannel: PChannel, server_id: ServerId) -> None:
        assert self._group is not None, "the service runs"
        around, settings = self._around, self._settings
        callers, name = Callers(), f"sequencer {pchannel}"
        journal = around.telemetry.journal(name)
        shell = Shell(
            pchannel,
            around,
            grant_client=self._grant_client,
            callers=callers,
            master_address=self._master_address,
        )
        actor: Actor[SequencerMachine, ev.Event] = Actor(
            name,
            journal.begin(SequencerMachine, pchannel, server_id, self._address(), settings),
            shell.perform,
            around,
            callers=callers,
            journal=journal,
        )
        self._actors[pchannel] = actor
        self._group.spawn(pchannel, actor.run(), must_not_end=True)

    async def _watch_disk(self) -> None:
        """How much the log's disk still takes; not known is not low."""
        while True:
            try:
                free_bytes = await self._around.log.free_bytes()
            except HeadraceError as error:
                self._log.debug("free space is not known", reason=error.message)
            else:
                self._post(ev.DiskRead(free_bytes))
            self._measure()
            await self._clock.sleep(self._settings.disk_step_s)

    def _measure(self) -> None:
        for pchannel, actor in self._actors.items():
            told = actor.machine.status()
            self._waiting_bytes.labels(pchannel).set(told.get("waiting_bytes", 0))
            self._window_ids.labels(pchannel).set(told.get("window_ids", 0))
            self._open.labels(pchannel).set(actor.machine.is_open)
