"""The master service as a process: which request is which event."""

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.frame.actor import Actor, Ask
from headrace.frame.leader import LeaderService
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.masterservice import events as ev
from headrace.masterservice.leading import lead, watch_of_proxies
from headrace.masterservice.machine import MasterMachine
from headrace.masterservice.settings import MasterServiceSettings
from headrace.masterservice.status import details
from headrace.meta.records import Role
from headrace.rpc import messages as m
from headrace.rpc.api import Handler
from headrace.runtime.driver import Source
from headrace.runtime.supervise import TaskGroup


class MasterService(LeaderService[MasterServiceSettings, MasterMachine, ev.Event]):
    """See the module. Dies of `Invalid` (the settings ask for another pool) and `Corrupt` (what is
    recorded is not what we wrote)."""

    role = Role.MASTER_SERVICE
    needs = (Role.MASTER_SERVICE,)

    def __init__(self, around: Surroundings[MasterServiceSettings]) -> None:
        leads = around.telemetry.gauge("master_leads", "1 while this process leads")
        super().__init__(around, leads=leads)
        self._granted = around.telemetry.counter("master_timestamps_total", "Timestamps granted")

    @property
    def leads(self) -> bool:
        return self.actor is not None

    async def lead(self, store: LeaderStore, group: TaskGroup) -> Actor[MasterMachine, ev.Event]:
        """See `leading`."""
        actor = await lead(self.around, store)
        watch = watch_of_proxies(self.around, actor)
        group.spawn("proxies", watch.run(), must_not_end=True)
        return actor

    async def details(self, topic: str) -> dict[str, Any]:
        """See `status`; nothing from a process that does not lead."""
        return details(self.actor.machine, topic) if self.actor else {}

    def asks(self) -> Sequence[Ask[Any, ev.Event]]:
        return (
            Ask(m.AllocTimestampRequest, self._timestamp_asked),
            Ask(m.AllocIdsRequest, ev.IdsAsked),
            Ask(m.CreateCollectionRequest, ev.CreateAsked),
            Ask(m.DropCollectionRequest, ev.DropAsked),
            Ask(m.RenameCollectionRequest, ev.RenameAsked),
            Ask(m.PartitionRequest, ev.PartitionAsked),
            Ask(m.SetClientStateRequest, ev.SetClientStateAsked),
        )

    def handlers(self) -> Mapping[type, Handler]:
        """Grants are counted, and a suspicion is not waited for."""
        handlers: dict[type, Handler] = {
            m.GrantRequest: self._grant,
            m.SuspectRequest: self._suspect,
        }
        return {**super().handlers(), **handlers}

    async def _grant(self, request: m.GrantRequest) -> m.GrantResponse:
        response: m.GrantResponse = await self.present().ask(
            lambda call: ev.GrantAsked(
                call=call,
                request=request,
                wall_ms=self.around.host.clock.wall_ms(),
                leads_until=self._leads_until(),
            )
        )
        self._granted.inc(response.count)
        return response

    async def _suspect(self, request: m.SuspectRequest) -> m.Done:
        suspected = ev.ProxySuspected(request.server_id, request.address)
        self.present().post(suspected, Source.PEER)
        return m.Done()

    def _timestamp_asked(self, call: int, request: m.AllocTimestampRequest) -> ev.Event:
        wall_ms = self.around.host.clock.wall_ms()
        return ev.TimestampAsked(call=call, wall_ms=wall_ms, leads_until=self._leads_until())

    def _leads_until(self) -> float:
        """Handing out timestamps compares nothing, so the lease must surely stand."""
        return self.leadership.stands_until if self.leadership is not None else 0.0
