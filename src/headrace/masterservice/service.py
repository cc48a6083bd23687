"""The master service as a process: its session, the election, its leaderships, what peers ask.

**Owns** the life of the process and the translation of requests into events. **Does not own** what
a leadership does (`leading`) or decides (`machine`).

One master service leads, the others stand by: they are registered and HEALTHY, answer how they are,
and answer everything else `Fenced`, so that who asked looks for the leader. A leadership ends with
its key, with its lease, or when a transaction finds another leader; the process then campaigns
again. A process that was replaced under its node name dies.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from headrace.log.api import Log
from headrace.masterservice.events import (
    CreateAsked,
    DropAsked,
    Event,
    GrantAsked,
    IdsAsked,
    PartitionAsked,
    RenameAsked,
    SetClientStateAsked,
    TimestampAsked,
)
from headrace.masterservice.leading import Leading, Surroundings
from headrace.masterservice.settings import MasterServiceSettings
from headrace.masterservice.status import details
from headrace.meta.api import MetaStore
from headrace.meta.election import Election, Leadership
from headrace.meta.following import LeaderWatcher, SessionWatcher
from headrace.meta.keys import Keys
from headrace.meta.records import Role, SessionState
from headrace.meta.session import Session
from headrace.model import codec
from headrace.model.errors import Fenced, Invalid
from headrace.model.schema import Schema
from headrace.rpc.api import Handler, Peers, Server
from headrace.rpc.messages import (
    AllocIdsRequest,
    AllocIdsResponse,
    AllocTimestampRequest,
    AllocTimestampResponse,
    CollectionResponse,
    CreateCollectionRequest,
    Done,
    DropCollectionRequest,
    GrantRequest,
    GrantResponse,
    PartitionRequest,
    RenameCollectionRequest,
    SetClientStateRequest,
    StatusRequest,
    StatusResponse,
    SuspectRequest,
)
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.host import Host
from headrace.runtime.supervise import TaskGroup
from headrace.runtime.telemetry import Telemetry


class MasterService:
    """See the module. Implements `runtime.role.RoleProcess`."""

    def __init__(
        self,
        *,
        settings: MasterServiceSettings,
        host: Host,
        telemetry: Telemetry,
        keys: Keys,
        node_name: str,
        meta: MetaStore,
        log: Log,
        peers: Peers,
        server: Server,
        crash: CrashPoints | None = None,
        validate: bool = False,
    ) -> None:
        self._around = Surroundings(
            settings=settings,
            host=host,
            telemetry=telemetry,
            keys=keys,
            meta=meta,
            log=log,
            peers=peers,
            crash=crash or NoCrashPoints(),
            validate=validate,
        )
        self._node_name = node_name
        self._server = server
        self._session: Session | None = None
        self._leading: Leading | None = None
        self._leadership: Leadership | None = None
        self._stop = asyncio.Event()
        self._leads = telemetry.gauge("master_leads", "1 while this process leads")
        self._granted = telemetry.counter("master_timestamps_total", "Timestamps granted")

    @property
    def healthy(self) -> bool:
        """See `RoleProcess`: registered, and somebody leads, this process or another."""
        session = self._session
        return session is not None and session.record.state is SessionState.HEALTHY

    @property
    def leads(self) -> bool:
        """Whether this process leads and has read what it needs."""
        return self._leading is not None and self._leading.machine is not None

    def stop(self) -> None:
        """See `RoleProcess`. Nothing has to be finished: what is recorded, a successor goes on
        with."""
        self._stop.set()

    async def run(self) -> None:
        """See `RoleProcess`. Dies of `Fenced` (replaced under its node name), `Invalid` (the
        settings ask for another pool) and `Corrupt` (what is recorded is not what we wrote)."""
        around = self._around
        await self._server.start(self._handlers())
        self._session = session = Session(
            meta=around.meta,
            keys=around.keys,
            host=around.host,
            telemetry=around.telemetry,
            role=Role.MASTER_SERVICE,
            node_name=self._node_name,
            address=self._server.address,
            ttl_s=around.settings.lease_ttl_s,
        )
        leaders = LeaderWatcher(
            around.meta, around.keys, Role.MASTER_SERVICE, around.host, around.telemetry
        )
        try:
            async with TaskGroup("master-service") as group:
                group.spawn("life", self._live(session, leaders))
                await self._stop.wait()
                group.cancel()
        finally:
            await session.close()
            await self._server.stop()

    # ---- life --------------------------------------------------------------------------------

    async def _live(self, session: Session, leaders: LeaderWatcher) -> None:
        await session.start()
        async with TaskGroup("master-service") as group:
            group.spawn("session", session.run(), must_not_end=True)
            group.spawn("leaders", leaders.run(), must_not_end=True)
            group.spawn("healthy", self._become_healthy(session, leaders))
            group.spawn("election", self._campaign(session), must_not_end=True)

    async def _become_healthy(self, session: Session, leaders: LeaderWatcher) -> None:
        await leaders.found()
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
        self._leading, self._leadership = leading, leadership
        self._leads.set(1)
        proxies = SessionWatcher(
            self._around.meta,
            self._around.keys,
            Role.PROXY,
            self._around.host,
            self._around.telemetry,
            lambda: leading.proxies(list(proxies.sessions.values())),
        )

        async def follow() -> None:
            await leading.begun.wait()
            await proxies.run()

        async def notice_end() -> None:
            leading.lost(await election.ended(leadership))

        try:
            async with TaskGroup("leadership") as group:
                group.spawn("proxies", follow())
                group.spawn("end", notice_end())
                reason = await leading.run()
                group.cancel()
            return reason
        finally:
            self._leading = self._leadership = None
            self._leads.set(0)

    # ---- what peers ask ----------------------------------------------------------------------

    def _handlers(self) -> dict[type, Handler]:
        return {
            StatusRequest: self._status,
            GrantRequest: self._grant,
            AllocTimestampRequest: self._alloc_timestamp,
            AllocIdsRequest: self._alloc_ids,
            CreateCollectionRequest: self._create,
            DropCollectionRequest: self._drop,
            RenameCollectionRequest: self._rename,
            PartitionRequest: self._partition,
            SetClientStateRequest: self._set_client_state,
            SuspectRequest: self._suspect,
        }

    async def _ask(self, make: Callable[[int], Event]) -> Any:
        if self._leading is None:
            raise Fenced(f"{self._node_name} does not lead the master service")
        return await self._leading.ask(make)

    def _leads_until(self) -> float:
        return self._leadership.stands_until if self._leadership is not None else 0.0

    async def _grant(self, request: GrantRequest) -> GrantResponse:
        wall_ms, leads_until = self._around.host.clock.wall_ms(), self._leads_until()
        response: GrantResponse = await self._ask(
            lambda call: GrantAsked(
                call=call,
                server_id=request.server_id,
                count=request.count,
                pchannels=request.pchannels,
                wall_ms=wall_ms,
                leads_until=leads_until,
            )
        )
        self._granted.inc(response.count)
        return response

    async def _alloc_timestamp(self, request: AllocTimestampRequest) -> AllocTimestampResponse:
        wall_ms, leads_until = self._around.host.clock.wall_ms(), self._leads_until()
        response: AllocTimestampResponse = await self._ask(
            lambda call: TimestampAsked(call=call, wall_ms=wall_ms, leads_until=leads_until)
        )
        return response

    async def _alloc_ids(self, request: AllocIdsRequest) -> AllocIdsResponse:
        response: AllocIdsResponse = await self._ask(
            lambda call: IdsAsked(call=call, count=request.count)
        )
        return response

    async def _create(self, request: CreateCollectionRequest) -> CollectionResponse:
        schema = codec.decode(request.schema, Schema, "schema")
        properties: dict[str, str] = codec.decode(request.properties, dict, "properties")
        if not all(isinstance(value, str) for value in properties.values()):
            raise Invalid("properties are strings", field="properties")
        response: CollectionResponse = await self._ask(
            lambda call: CreateAsked(
                call=call,
                name=request.name,
                schema=schema,
                shards=request.shards,
                consistency_level=request.consistency_level,
                properties=properties,
                partitions=request.partitions,
            )
        )
        return response

    async def _drop(self, request: DropCollectionRequest) -> Done:
        done: Done = await self._ask(lambda call: DropAsked(call=call, name=request.name))
        return done

    async def _rename(self, request: RenameCollectionRequest) -> Done:
        done: Done = await self._ask(
            lambda call: RenameAsked(call=call, name=request.name, new_name=request.new_name)
        )
        return done

    async def _partition(self, request: PartitionRequest) -> Done:
        done: Done = await self._ask(
            lambda call: PartitionAsked(
                call=call,
                name=request.collection,
                partition=request.partition,
                drop=request.drop,
            )
        )
        return done

    async def _set_client_state(self, request: SetClientStateRequest) -> Done:
        done: Done = await self._ask(
            lambda call: SetClientStateAsked(
                call=call,
                collection_id=request.collection_id,
                topic=request.topic,
                value=request.value,
            )
        )
        return done

    async def _suspect(self, request: SuspectRequest) -> Done:
        if self._leading is None:
            raise Fenced(f"{self._node_name} does not lead the master service")
        self._leading.suspect(request.server_id, request.address)
        return Done()

    async def _status(self, request: StatusRequest) -> StatusResponse:
        session = self._session
        return StatusResponse(
            role=Role.MASTER_SERVICE,
            node_name=self._node_name,
            server_id=session.record.server_id if session else 0,
            state=session.record.state if session else SessionState.INITIALIZING,
            details=codec.encode(details(self._leading, request.topic)),
        )
