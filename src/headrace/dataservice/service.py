"""The data service as a process: which request is which event, and what is read from the stores."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.dataservice import events as ev
from headrace.dataservice.leading import follow, lead
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.manifests.names import store_names
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.state.statistics import read_segments
from headrace.dataservice.status import describe
from headrace.frame.actor import Actor, Ask
from headrace.frame.leader import LeaderService
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.meta.following import SessionWatcher
from headrace.meta.records import CollectionRecord, Role
from headrace.meta.session import Session
from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.errors import Unavailable
from headrace.model.ids import CollectionId
from headrace.rpc import messages as m
from headrace.rpc.api import Handler
from headrace.runtime.supervise import TaskGroup


class DataService(LeaderService[DataServiceSettings, DataServiceMachine, ev.Event]):
    """See the module."""

    role = Role.DATA_SERVICE
    needs = (Role.DATA_SERVICE, Role.MASTER_SERVICE)

    def __init__(self, around: Surroundings[DataServiceSettings]) -> None:
        leads = around.telemetry.gauge("dataservice_leads", "1 while this process leads")
        super().__init__(around, leads=leads)
        self._proxies = SessionWatcher(
            around.meta, around.keys, Role.PROXY, around.host, around.telemetry
        )
        self._names = asyncio.Lock()

    @property
    def leads(self) -> bool:
        return self.actor is not None and self.actor.machine.ready

    def begin(self, group: TaskGroup, session: Session) -> None:
        """Follow the proxies as well: they are told of manifests."""
        super().begin(group, session)
        group.spawn("proxies", self._proxies.run(), must_not_end=True)

    async def lead(
        self, store: LeaderStore, group: TaskGroup
    ) -> Actor[DataServiceMachine, ev.Event]:
        """See `leading`."""
        master = self.leaders[Role.MASTER_SERVICE]
        actor = lead(self.around, store, master, self._proxies)
        follow(self.around, actor, group)
        return actor

    def asks(self) -> Sequence[Ask[Any, ev.Event]]:
        """What the machine answers.

        A report to a process that does not lead is answered `Unavailable`: a flowgraph ends when it
        is told that it was fenced, and a process that does not lead cannot say so.
        """
        return (
            Ask(m.SaveBinlogPathsRequest, ev.ReportArrived, not_leading=Unavailable),
            Ask(m.SaveCheckpointsRequest, ev.MovesArrived, not_leading=Unavailable),
            Ask(m.NewEpochRequest, ev.NewEpochAsked, not_leading=Unavailable),
            Ask(
                m.FlushStateRequest,
                lambda call, r: ev.FlushStateAsked(
                    call,
                    (r.collection_id,) if r.collection_id else r.collection_ids,
                    r.timestamp,
                ),
            ),
            Ask(m.SuspectRequest, lambda call, r: ev.NodeSuspected(call, r.server_id)),
        )

    def handlers(self) -> Mapping[type, Handler]:
        """Names and statistics come from the stores, not from the machine."""
        reads: dict[type, Handler] = {
            m.StoreNamesRequest: self._store_names,
            m.SegmentsRequest: self._segments,
        }
        return {**super().handlers(), **reads}

    async def details(self, topic: str) -> dict[str, Any]:
        """See `status`."""
        if self.actor is None:
            return {"leads": False}
        if topic == "segments":
            answer = await self._segments(m.SegmentsRequest(collection_id=0))
            return {"segments": list(answer.segments)}
        return describe(self.actor.machine, topic, self.around.host.clock.monotonic())

    async def _store_names(self, request: m.StoreNamesRequest) -> m.Done:
        self.present()
        around = self.around
        async with self._names:
            at = await store_names(around.meta, around.keys, around.objects)
        if at < request.revision:
            raise Unavailable(f"names were read at revision {at}, not {request.revision}")
        return m.Done()

    async def _segments(self, request: m.SegmentsRequest) -> m.SegmentsResponse:
        self.present()
        vchannels = await self._vchannels(request.collection_id)
        return m.SegmentsResponse(
            await read_segments(self.around.meta, self.around.keys, vchannels)
        )

    async def _vchannels(self, collection_id: CollectionId) -> list[VChannel]:
        """Of one collection, or of all (0), as meta has them now."""
        keys, meta = self.around.keys, self.around.meta
        if collection_id:
            found = await meta.get(keys.collection(collection_id))
        else:
            found = await meta.range(keys.collections_prefix)
        records = [codec.decode(i.value, CollectionRecord, i.key) for i in found.items]
        return [vchannel for record in records for vchannel in record.vchannels]
