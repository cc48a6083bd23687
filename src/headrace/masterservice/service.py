"""The master service as a process: which request is which event.

**Owns** the translation of requests into events. **Does not own** the life of the process
(`frame.service`), elections and standing by (`frame.leader`), what a leadership is made of
(`leading`) or decides (`machine`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.frame.actor import Actor, Ask
from headrace.frame.leader import LeaderService
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.masterservice.events import (
    CreateAsked,
    DropAsked,
    Event,
    GrantAsked,
    IdsAsked,
    PartitionAsked,
    ProxySuspected,
    RenameAsked,
    SetClientStateAsked,
    TimestampAsked,
)
from headrace.masterservice.leading import lead, watch_of_proxies
from headrace.masterservice.machine import MasterMachine
from headrace.masterservice.settings import MasterServiceSettings
from headrace.masterservice.status import details
from headrace.meta.records import Role
from headrace.model import codec
from headrace.model.errors import Invalid
from headrace.model.schema import Schema
from headrace.rpc.api import Handler
from headrace.rpc.messages import (
    AllocIdsRequest,
    AllocTimestampRequest,
    CreateCollectionRequest,
    Done,
    DropCollectionRequest,
    GrantRequest,
    GrantResponse,
    PartitionRequest,
    RenameCollectionRequest,
    SetClientStateRequest,
    SuspectRequest,
)
from headrace.runtime.driver import Source
from headrace.runtime.supervise import TaskGroup


class MasterService(LeaderService[MasterServiceSettings, MasterMachine, Event]):
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
        """Whether this process leads and has read what it needs."""
        return self.actor is not None

    async def lead(self, store: LeaderStore, group: TaskGroup) -> Actor[MasterMachine, Event]:
        """See `leading`."""
        actor = await lead(self.around, store)
        watch = watch_of_proxies(self.around, actor)
        group.spawn("proxies", watch.run(), must_not_end=True)
        return actor

    async def details(self, topic: str) -> dict[str, Any]:
        """See `status`; nothing from a process that does not lead."""
        return details(self.actor.machine, topic) if self.actor else {}

    def asks(self) -> Sequence[Ask[Any, Event]]:
        """What the machine answers."""
        return (
            Ask(AllocTimestampRequest, self._timestamp_asked),
            Ask(AllocIdsRequest, lambda call, r: IdsAsked(call=call, count=r.count)),
            Ask(CreateCollectionRequest, create_asked),
            Ask(DropCollectionRequest, lambda call, r: DropAsked(call=call, name=r.name)),
            Ask(
                RenameCollectionRequest,
                lambda call, r: RenameAsked(call=call, name=r.name, new_name=r.new_name),
            ),
            Ask(
                PartitionRequest,
                lambda call, r: PartitionAsked(
                    call=call, name=r.collection, partition=r.partition, drop=r.drop
                ),
            ),
            Ask(
                SetClientStateRequest,
                lambda call, r: SetClientStateAsked(
                    call=call, collection_id=r.collection_id, topic=r.topic, value=r.value
                ),
            ),
        )

    def handlers(self) -> Mapping[type, Handler]:
        """Grants are counted, and a suspicion is not waited for."""
        handlers: dict[type, Handler] = {GrantRequest: self._grant, SuspectRequest: self._suspect}
        return {**super().handlers(), **handlers}

    async def _grant(self, request: GrantRequest) -> GrantResponse:
        response: GrantResponse = await self.present().ask(
            lambda call: GrantAsked(
                call=call,
                server_id=request.server_id,
                count=request.count,
                pchannels=request.pchannels,
                wall_ms=self.around.host.clock.wall_ms(),
                leads_until=self._leads_until(),
            )
        )
        self._granted.inc(response.count)
        return response

    async def _suspect(self, request: SuspectRequest) -> Done:
        suspected = ProxySuspected(request.server_id, request.address)
        self.present().post(suspected, Source.PEER)
        return Done()

    def _timestamp_asked(self, call: int, request: AllocTimestampRequest) -> Event:
        return TimestampAsked(
            call=call,
            wall_ms=self.around.host.clock.wall_ms(),
            leads_until=self._leads_until(),
        )

    def _leads_until(self) -> float:
        """Handing out timestamps compares nothing, so the lease must surely stand."""
        return self.leadership.stands_until if self.leadership is not None else 0.0


def create_asked(call: int, request: CreateCollectionRequest) -> CreateAsked:
    """`Invalid` when a property is not a string."""
    schema = codec.decode(request.schema, Schema, "schema")
    properties: dict[str, str] = codec.decode(request.properties, dict, "properties")
    if not all(isinstance(value, str) for value in properties.values()):
        raise Invalid("properties are strings", field="properties")
    return CreateAsked(
        call=call,
        name=request.name,
        schema=schema,
        shards=request.shards,
        consistency_level=request.consistency_level,
        properties=properties,
        partitions=request.partitions,
    )
