"""The data service as a process: its session, the election, its leaderships, what peers ask.

**Owns** the life of the process and the translation of requests into events. **Does not own** what
a leadership does (`leading`) or decides (`machine`).

One data service leads, the others stand by: they are registered and HEALTHY and answer how they
are. Everything else they answer `Fenced`, so that who asked looks for the leader; only reports are
answered `Unavailable`, since a flowgraph ends when it is told that it was fenced, and who does not
lead cannot say so. A leadership ends with its key or when a transaction finds another leader; the
process then campaigns again. A process that was replaced under its node name dies.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from headrace.dataservice import events as ev
from headrace.dataservice.leading import Leading, Surroundings
from headrace.dataservice.manifests.names import store_names
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.state.statistics import read_segments
from headrace.dataservice.status import describe
from headrace.log.api import Log
from headrace.meta.api import MetaStore
from headrace.meta.election import Election, Leadership
from headrace.meta.following import LeaderWatcher, SessionWatcher
from headrace.meta.keys import Keys
from headrace.meta.records import CollectionRecord, Role, SessionState
from headrace.meta.session import Session
from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.errors import Fenced, Unavailable
from headrace.model.ids import CollectionId
from headrace.objects.api import ObjectStore
from headrace.rpc.api import Handler, Peers, Server
from headrace.rpc.messages import (
    Done,
    FlushStateRequest,
    FlushStateResponse,
    NewEpochRequest,
    SaveBinlogPathsRequest,
    SaveBinlogPathsResponse,
    SaveCheckpointsRequest,
    SaveCheckpointsResponse,
    SegmentsRequest,
    SegmentsResponse,
    StatusRequest,
    StatusResponse,
    StoreNamesRequest,
    SuspectRequest,
)
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.host import Host
from headrace.runtime.supervise import TaskGroup
from headrace.runtime.telemetry import Telemetry

_STORY = "story:"


class DataService:
    """See the module. Implements `runtime.role.RoleProcess`."""

    def __init__(
        self,
        *,
        settings: DataServiceSettings,
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
        self._master = LeaderWatcher(meta, keys, Role.MASTER_SERVICE, host, telemetry)
        self._proxies = SessionWatcher(meta, keys, Role.PROXY, host, telemetry)
        self._leader = LeaderWatcher(meta, keys, Role.DATA_SERVICE, host, telemetry)
        self._around = Surroundings(
            settings=settings,
            host=host,
            telemetry=telemetry,
            keys=keys,
            meta=meta,
            log=log,
            objects=objects,
            peers=peers,
            master=self._master,
            proxies=self._proxies,
            crash=crash or NoCrashPoints(),
            validate=validate,
        )
        self._node_name = node_name
        self._server = server
        self._session: Session | None = None
        self._leading: Leading | None = None
        self._names = asyncio.Lock()
        self._stop = asyncio.Event()
        self._leads = telemetry.gauge("dataservice_leads", "1 while this process leads")

    @property
    def healthy(self) -> bool:
        """See `RoleProcess`: registered, and both services have a leader."""
        session = self._session
        return session is not None and session.record.state is SessionState.HEALTHY

    @property
    def leads(self) -> bool:
        """Whether this process leads and has seen what it needs."""
        return self._leading is not None and self._leading.machine.ready

    def stop(self) -> None:
        """See `RoleProcess`. Nothing has to be finished: a successor finds what stands."""
        self._stop.set()

    async def run(self) -> None:
        """See `RoleProcess`. Dies of `Fenced` (replaced under its node name)."""
        around = self._around
        await self._server.start(self._handlers())
        self._session = session = Session(
            meta=around.meta,
            keys=around.keys,
            host=around.host,
            telemetry=around.telemetry,
            role=Role.DATA_SERVICE,
            node_name=self._node_name,
            address=self._server.address,
            ttl_s=around.settings.lease_ttl_s,
        )
        try:
            async with TaskGroup("data-service") as group:
                group.spawn("life", self._live(session), must_not_end=True)
                await self._stop.wait()
                group.cancel()
        finally:
            await session.close()
            await self._server.stop()

    # ---- life ------------------------------------------------------------------------------------

    async def _live(self, session: Session) -> None:
        await session.start()
        async with TaskGroup("data-service") as group:
            group.spawn("session", session.run(), must_not_end=True)
            group.spawn("master", self._master.run(), must_not_end=True)
            group.spawn("leader", self._leader.run(), must_not_end=True)
            group.spawn("proxies", self._proxies.run(), must_not_end=True)
            group.spawn("healthy", self._become_healthy(session))
            group.spawn("election", self._campaign(session), must_not_end=True)

    async def _become_healthy(self, session: Session) -> None:
        await self._leader.found()
        await self._master.found()
        await session.set_state(SessionState.HEALTHY)

    async def _campaign(self, session: Session) -> None:
        around = self._around
        election = Election(
            meta=around.meta,
            keys=around.keys,
            host=around.host,
            telemetry=around.telemetry,
            session=session,
        )
        while True:
            leadership = await election.lead()
            reason = await self._lead(election, leadership)
            around.telemetry.log.warning("the leadership ended", reason=reason)

    async def _lead(self, election: Election, leadership: Leadership) -> str:
        """One leadership; why it ended."""
        leading = Leading(self._around, leadership.compare)
        self._leading = leading
        self._leads.set(1)

        async def notice_end() -> None:
            leading.lost(await election.ended(leadership))

        try:
            async with TaskGroup("leadership") as group:
                group.spawn("end", notice_end())
                reason = await leading.run()
                group.cancel()
            return reason
        finally:
            self._leading = None
            self._leads.set(0)

    # ---- what peers ask --------------------------------------------------------------------------

    def _handlers(self) -> dict[type, Handler]:
        return {
            StatusRequest: self._status,
            SaveBinlogPathsRequest: self._save_binlog_paths,
            SaveCheckpointsRequest: self._save_checkpoints,
            NewEpochRequest: self._new_epoch,
            FlushStateRequest: self._flush_state,
            SegmentsRequest: self._segments,
            StoreNamesRequest: self._store_names,
            SuspectRequest: self._suspect,
        }

    async def _save_binlog_paths(self, request: SaveBinlogPathsRequest) -> SaveBinlogPathsResponse:
        response: SaveBinlogPathsResponse = await self._report(
            lambda call: ev.ReportArrived(call, request)
        )
        return response

    async def _save_checkpoints(self, request: SaveCheckpointsRequest) -> SaveCheckpointsResponse:
        response: SaveCheckpointsResponse = await self._report(
            lambda call: ev.MovesArrived(call, request)
        )
        return response

    async def _new_epoch(self, request: NewEpochRequest) -> Done:
        done: Done = await self._report(
            lambda call: ev.NewEpochAsked(
                call, request.server_id, request.vchannel, request.epoch, request.reason
            )
        )
        return done

    async def _flush_state(self, request: FlushStateRequest) -> FlushStateResponse:
        wanted = (request.collection_id,) if request.collection_id else request.collection_ids
        response: FlushStateResponse = await self._present().ask(
            lambda call: ev.FlushStateAsked(call, wanted, request.timestamp)
        )
        return response

    async def _suspect(self, request: SuspectRequest) -> Done:
        done: Done = await self._present().ask(
            lambda call: ev.NodeSuspected(call, request.server_id)
        )
        return done

    async def _store_names(self, request: StoreNamesRequest) -> Done:
        self._present()
        async with self._names:
            at = await store_names(self._around.meta, self._around.keys, self._around.objects)
        if at < request.revision:
            raise Unavailable(f"names were read at revision {at}, not {request.revision}")
        return Done()

    async def _segments(self, request: SegmentsRequest) -> SegmentsResponse:
        self._present()
        vchannels = await self._vchannels(request.collection_id)
        around = self._around
        return SegmentsResponse(await read_segments(around.meta, around.keys, vchannels))

    async def _status(self, request: StatusRequest) -> StatusResponse:
        session, leading = self._session, self._leading
        details: Any = {"leads": False}
        if leading is not None:
            now = self._around.host.clock.monotonic()
            if request.topic == "segments":
                response = await self._segments(SegmentsRequest(collection_id=0))
                details = {"segments": response.segments}
            elif request.topic.startswith(_STORY):
                details = {"story": leading.story(request.topic.removeprefix(_STORY))}
            else:
                details = describe(leading.machine, request.topic, now)
        return StatusResponse(
            role=Role.DATA_SERVICE.value,
            node_name=self._node_name,
            server_id=session.record.server_id if session else 0,
            state=(session.record.state if session else SessionState.INITIALIZING).value,
            details=codec.encode(details),
        )

    # ---- inside ----------------------------------------------------------------------------------

    def _present(self) -> Leading:
        if self._leading is None:
            raise Fenced(f"{self._node_name} does not lead the data service")
        return self._leading

    async def _report(self, make: Callable[[int], ev.Event]) -> Any:
        if self._leading is None:
            raise Unavailable(f"{self._node_name} does not lead the data service")
        return await self._leading.ask(make)

    async def _vchannels(self, collection_id: CollectionId) -> list[VChannel]:
        """Of one collection, or of all (0), as meta has them now."""
        keys, meta = self._around.keys, self._around.meta
        if collection_id:
            found = await meta.get(keys.collection(collection_id))
        else:
            found = await meta.range(keys.collections_prefix)
        records = [codec.decode(i.value, CollectionRecord, i.key) for i in found.items]
        return [vchannel for record in records for vchannel in record.vchannels]
