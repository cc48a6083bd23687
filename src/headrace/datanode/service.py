"""The data node as a process: its machine, what the data service asks of it, its end.

**Owns** what a data node adds to the life of every role (`frame.service`): the machine runs from
the start and is told whether the process has its session, and at the end what is buffered is stored
within a limit of time. **Does not own** decisions (`machine`) or how they are carried out
(`shell`).

Before the first watch it reads no stream. While the lease is lost, reports are held until the
process has its session again.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from headrace.datanode import events as ev
from headrace.datanode.machine import DataNodeMachine
from headrace.datanode.settings import DataNodeSettings
from headrace.datanode.shell import DataNodeShell
from headrace.datanode.status import details
from headrace.frame.actor import Actor, Ask, every
from headrace.frame.service import RoleService
from headrace.frame.surroundings import Surroundings
from headrace.meta.records import Role
from headrace.meta.session import Session
from headrace.rpc import messages as m
from headrace.rpc.api import Handler
from headrace.runtime.callers import Callers
from headrace.runtime.driver import Source
from headrace.runtime.race import pause
from headrace.runtime.supervise import TaskGroup

ASKS: tuple[Ask[Any, ev.Event], ...] = (
    Ask(m.WatchDmChannelsRequest, ev.WatchArrived),
    Ask(m.ReleaseDmChannelRequest, ev.ReleaseArrived),
    Ask(m.NodeStateRequest, ev.StateAsked),
    Ask(m.AwaitTimestampsRequest, ev.AwaitArrived),
    Ask(m.SegmentFlushedRequest, ev.FlushAnnounced),
)


class DataNode(RoleService[DataNodeSettings]):
    """See the module."""

    role = Role.DATA_NODE
    needs = (Role.DATA_SERVICE, Role.MASTER_SERVICE)

    def __init__(self, around: Surroundings[DataNodeSettings]) -> None:
        super().__init__(around, ttl_s=around.settings.lease_ttl_s)
        self._stored = asyncio.Event()
        callers, journal = Callers(), around.telemetry.journal("data-node")
        data_service = self.leaders[Role.DATA_SERVICE]
        self._shell = DataNodeShell(around, data_service, callers.answer, self._stored.set)
        self.actor: Actor[DataNodeMachine, ev.Event] = Actor(
            around.node_name,
            journal.begin(DataNodeMachine, around.settings),
            self._shell.perform,
            around,
            callers=callers,
            journal=journal,
        )
        gauge = around.telemetry.gauge
        self._used = gauge("datanode_used_bytes", "Bytes that count against the budget")
        self._unreported = gauge("datanode_unreported_bytes", "Bytes stored and not yet reported")
        self._buffered = gauge("datanode_buffered_bytes", "Bytes in buffers", ("vchannel",))
        self._checkpoints = gauge(
            "datanode_checkpoint_timestamp", "Channel checkpoint, hybrid", ("vchannel",)
        )
        self._observed: dict[str, None] = {}

    def handlers(self) -> Mapping[type, Handler]:
        """All that the data service asks is answered by the machine."""
        return {ask.request: self.actor.handler(ask) for ask in ASKS}

    async def details(self, topic: str) -> dict[str, Any]:
        """See `status`."""
        return details(self.actor.machine, topic, self.around.host.clock.monotonic())

    async def open(self, group: TaskGroup) -> None:
        """The machine answers before the process is registered."""
        group.spawn("machine", self.actor.run(), must_not_end=True)

    def begin(self, group: TaskGroup, session: Session) -> None:
        """Tell the machine of the session and of time."""
        clock, step_s = self.around.host.clock, self.around.settings.step_s
        group.spawn("registration", self._tell_session(session), must_not_end=True)
        group.spawn("time", every(clock, step_s, self._pass_time), must_not_end=True)

    async def finish(self) -> None:
        """Sync and report all that is buffered, within the limit of time."""
        self.actor.post(ev.StopAsked(), Source.PROCESS)
        saying = asyncio.create_task(self.say_stopping())
        try:
            await pause(self.around.host.clock, self.around.settings.stop_s, self._stored.wait())
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def close(self) -> None:
        """Close all readers."""
        await self._shell.close()

    async def _tell_session(self, session: Session) -> None:
        """Tell the machine whether the process surely has its session."""
        clock, told = self.around.host.clock, False
        while True:
            count, now = session.changes.count, clock.monotonic()
            held = session.is_held(now)
            if held != told:
                told = held
                event = ev.Registered(session.server_id) if held else ev.RegistrationLost()
                self.actor.post(event, Source.SESSION)
            # A lease that is renewed says so by no change: look again when it would end.
            wait_s = max(0.001, session.held_until - now) if held else self.around.settings.step_s
            await pause(clock, wait_s, session.changes.after(count))

    def _pass_time(self) -> None:
        self.actor.post(ev.TimePassed(), Source.CLOCK)
        self._observe()

    def _observe(self) -> None:
        """Bring the gauges up to date; those of vchannels that have gone are removed."""
        machine = self.actor.machine
        budget = machine.budget
        self._used.set(budget.used_bytes)
        self._unreported.set(budget.unreported_bytes)
        live = {v: f for v, f in machine.flows.items() if not f.ended}
        for vchannel, flow in live.items():
            self._buffered.labels(vchannel).set(flow.buffers.size_bytes)
            self._checkpoints.labels(vchannel).set(flow.checkpoint.timestamp)
        for vchannel in [v for v in self._observed if v not in live]:
            self._buffered.remove(vchannel)
            self._checkpoints.remove(vchannel)
        self._observed = dict.fromkeys(live)
