"""The data node as a process: its session, its machine, what the data service asks of it.

**Owns** the life of the process: server first, then the session, INITIALIZING until the data
service and the master service are found, HEALTHY, and at the end storing what is buffered within a
limit of time. **Does not own** decisions (`machine`) or how they are carried out (`shell`).

Before the first watch it reads no stream. Losing the lease ends nothing: reports are held until the
process has its session again, as the same process. A process that was replaced under its node name
dies.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from headrace.datanode import events as ev
from headrace.datanode.effects import Effect
from headrace.datanode.machine import DataNodeMachine
from headrace.datanode.settings import DataNodeSettings
from headrace.datanode.shell import DataNodeShell
from headrace.datanode.status import details
from headrace.log.api import Log
from headrace.meta.api import MetaStore
from headrace.meta.following import LeaderWatcher
from headrace.meta.keys import Keys
from headrace.meta.records import Role, SessionState
from headrace.meta.session import Session
from headrace.model import codec
from headrace.model.errors import Unavailable
from headrace.objects.api import ObjectStore
from headrace.rpc.api import Handler, Peers, Server
from headrace.rpc.messages import (
    AwaitTimestampsRequest,
    NodeStateRequest,
    ReleaseDmChannelRequest,
    SegmentFlushedRequest,
    StatusRequest,
    StatusResponse,
    WatchDmChannelsRequest,
)
from headrace.runtime.callers import Callers
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.driver import Driver, Source
from headrace.runtime.host import Host
from headrace.runtime.journal import Journal
from headrace.runtime.race import pause
from headrace.runtime.supervise import TaskGroup
from headrace.runtime.telemetry import Telemetry


class DataNode:
    """See the module. Implements `runtime.role.RoleProcess`."""

    def __init__(
        self,
        *,
        settings: DataNodeSettings,
        host: Host,
        telemetry: Telemetry,
        keys: Keys,
        node_name: str,
        meta: MetaStore,
        log: Log,
        objects: ObjectStore,
        peers: Peers,
        server: Server,
        crash: CrashPoints | None = None,
        validate: bool = False,
    ) -> None:
        self._settings = settings
        self._host = host
        self._node_name = node_name
        self._server = server
        self._data_service = LeaderWatcher(meta, keys, Role.DATA_SERVICE, host, telemetry)
        self._master = LeaderWatcher(meta, keys, Role.MASTER_SERVICE, host, telemetry)
        self._stop = asyncio.Event()
        self._stored = asyncio.Event()
        self._callers = Callers()
        self._journal = Journal()
        self._session: Session | None = None
        self._meta, self._keys, self._telemetry = meta, keys, telemetry
        self._machine = self._journal.begin(DataNodeMachine, settings)
        self._shell = DataNodeShell(
            settings=settings,
            host=host,
            telemetry=telemetry,
            log=log,
            objects=objects,
            peers=peers,
            data_service=self._data_service,
            answer=self._callers.answer,
            stopped=self._stored.set,
            crash=crash or NoCrashPoints(),
        )
        self._driver: Driver[ev.Event, Effect] = Driver(
            self._machine,
            self._shell.perform,
            host.clock,
            name="data-node",
            journal=self._journal.record,
            validate=validate,
        )
        gauge = telemetry.gauge
        self._used = gauge("datanode_used_bytes", "Bytes that count against the budget")
        self._unreported = gauge("datanode_unreported_bytes", "Bytes stored and not yet reported")
        self._buffered = gauge("datanode_buffered_bytes", "Bytes in buffers", ("vchannel",))
        self._checkpoints = gauge(
            "datanode_checkpoint_timestamp", "Channel checkpoint, hybrid", ("vchannel",)
        )
        self._observed: dict[str, None] = {}

    @property
    def machine(self) -> DataNodeMachine:
        """For checkers; nobody else looks inside."""
        return self._machine

    @property
    def healthy(self) -> bool:
        """See `RoleProcess`."""
        session = self._session
        return session is not None and session.record.state is SessionState.HEALTHY

    def stop(self) -> None:
        """See `RoleProcess`: stores what is buffered, for at most `stop_s`, then ends."""
        self._stop.set()

    async def run(self) -> None:
        """See `RoleProcess`. Dies of `Fenced` (replaced under its node name)."""
        await self._server.start(self._handlers())
        self._session = session = Session(
            meta=self._meta,
            keys=self._keys,
            host=self._host,
            telemetry=self._telemetry,
            role=Role.DATA_NODE,
            node_name=self._node_name,
            address=self._server.address,
            ttl_s=self._settings.lease_ttl_s,
        )
        try:
            with self._journal.told_on_assertion(self._node_name):
                async with TaskGroup("data-node") as group:
                    group.spawn("machine", self._driver.run(), must_not_end=True)
                    group.spawn("life", self._live(session), must_not_end=True)
                    await self._stop.wait()
                    await self._store_all(session)
                    group.cancel()
        finally:
            await session.close()
            self._callers.refuse_all(Unavailable(f"{self._node_name} has ended"))
            await self._server.stop()
            await self._shell.close()

    # ---- life --------------------------------------------------------------------------------

    async def _live(self, session: Session) -> None:
        await session.start()
        async with TaskGroup("data-node") as group:
            group.spawn("registration", self._follow(session), must_not_end=True)
            group.spawn("session", session.run(), must_not_end=True)
            group.spawn("data-service", self._data_service.run(), must_not_end=True)
            group.spawn("master", self._master.run(), must_not_end=True)
            group.spawn("time", self._pass_time(), must_not_end=True)
            group.spawn("healthy", self._become_healthy(session))

    async def _become_healthy(self, session: Session) -> None:
        await self._data_service.found()
        await self._master.found()
        if not self._stop.is_set():
            await session.set_state(SessionState.HEALTHY)

    async def _follow(self, session: Session) -> None:
        """Tell the machine whether the process surely has its session."""
        clock, told = self._host.clock, False
        while True:
            count, now = session.changes.count, clock.monotonic()
            held = session.is_held(now)
            if held != told:
                told = held
                event = ev.Registered(session.server_id) if held else ev.RegistrationLost()
                self._driver.post(event, Source.SESSION)
            # A lease that is renewed says so by no change: look again when it would end.
            wait_s = max(0.001, session.held_until - now) if held else self._settings.step_s
            await pause(clock, wait_s, session.changes.after(count))

    async def _pass_time(self) -> None:
        while True:
            await self._host.clock.sleep(self._settings.step_s)
            self._driver.post(ev.TimePassed(), Source.CLOCK)
            self._observe()

    async def _store_all(self, session: Session) -> None:
        """Sync and report all that is buffered, within the limit of time."""
        self._driver.post(ev.StopAsked(), Source.PROCESS)
        saying = asyncio.ensure_future(self._say_stopping(session))
        try:
            await pause(self._host.clock, self._settings.stop_s, self._stored.wait())
        finally:
            saying.cancel()

    async def _say_stopping(self, session: Session) -> None:
        if session.record.server_id:
            await session.set_state(SessionState.STOPPING)

    # ---- requests ----------------------------------------------------------------------------

    def _handlers(self) -> dict[type, Handler]:
        return {
            StatusRequest: self._status,
            WatchDmChannelsRequest: lambda r: self._ask(lambda c: ev.WatchArrived(c, r)),
            ReleaseDmChannelRequest: lambda r: self._ask(lambda c: ev.ReleaseArrived(c, r)),
            NodeStateRequest: lambda r: self._ask(lambda c: ev.StateAsked(c, r)),
            AwaitTimestampsRequest: lambda r: self._ask(lambda c: ev.AwaitArrived(c, r)),
            SegmentFlushedRequest: lambda r: self._ask(lambda c: ev.FlushAnnounced(c, r)),
        }

    async def _ask(self, make: Callable[[int], ev.Event]) -> Any:
        return await self._callers.ask(self._driver.post, make)

    async def _status(self, request: StatusRequest) -> StatusResponse:
        record = self._session.record if self._session else None
        now = self._host.clock.monotonic()
        told = details(self._machine, self._journal, request.topic, now)
        return StatusResponse(
            role=Role.DATA_NODE.value,
            node_name=self._node_name,
            server_id=record.server_id if record else 0,
            state=(record.state if record else SessionState.INITIALIZING).value,
            details=codec.encode(told),
        )

    def _observe(self) -> None:
        """Bring the gauges up to date; those of vchannels that have gone are removed."""
        budget = self._machine.budget
        self._used.set(budget.used_bytes)
        self._unreported.set(budget.unreported_bytes)
        live = {v: f for v, f in self._machine.flows.items() if not f.ended}
        for vchannel, flow in live.items():
            self._buffered.labels(vchannel).set(flow.buffers.size_bytes)
            self._checkpoints.labels(vchannel).set(flow.checkpoint.timestamp)
        for vchannel in [v for v in self._observed if v not in live]:
            self._buffered.remove(vchannel)
            self._checkpoints.remove(vchannel)
        self._observed = dict.fromkeys(live)
