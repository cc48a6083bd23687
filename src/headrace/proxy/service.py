"""The proxy process: the front door, the sequencers that live beside it, and their session.

**Owns** the order of start and end, and what the process answers to peers. **Does not own** the
front door's parts (`assembly`) or the sequencers: they are a role of their own that only shares the
process, so that rows for one of them need no network. Both are handed in: `sequencers` makes those
of this process, `door` the server that clients reach (None: they call `methods`, as in the
simulator).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import Role, SessionState
from headrace.meta.session import Session
from headrace.model.codec import encode
from headrace.model.ids import ServerId
from headrace.proxy.assembly import Assembly
from headrace.proxy.cluster.sequencers import OwnSequencers
from headrace.proxy.door.methods import Methods
from headrace.proxy.settings import ProxySettings
from headrace.rpc.api import Handler, Peers, Server
from headrace.rpc.messages import Done, SegmentFlushedRequest, StatusRequest, StatusResponse
from headrace.runtime.host import Host
from headrace.runtime.race import within
from headrace.runtime.supervise import TaskGroup
from headrace.runtime.telemetry import Telemetry

STOP_S = 2.0  # how long a clean end waits for the meta store
ABOUT_PCHANNELS = ("", "channels")  # topics of a status to which the sequencers belong


class Door(Protocol):
    """Where clients reach the methods (`frontdoor.FrontDoor`)."""

    @property
    def address(self) -> str:
        """`host:port`, once it is open."""
        ...

    async def start(self) -> None:
        """Begin to answer; `Invalid` naming the setting when the address can not be had."""
        ...

    async def stop(self) -> None:
        """Finish the calls under way within a second, then close."""
        ...


class Proxy:
    """See the module. Its sequencers get the three callables' worth of it: id, address, master."""

    def __init__(
        self,
        *,
        settings: ProxySettings,
        host: Host,
        telemetry: Telemetry,
        keys: Keys,
        node_name: str,
        meta: MetaStore,
        peers: Peers,
        server: Server,
        sequencers: Callable[["Proxy"], OwnSequencers],
        door: Callable[[Methods], Door] | None = None,
    ) -> None:
        self._host = host
        self._telemetry = telemetry
        self._keys = keys
        self._node_name = node_name
        self._meta = meta
        self._server = server
        self._session: Session | None = None
        self._healthy = False
        self._stopping = asyncio.Event()
        self._sequencing: asyncio.Task[None] | None = None
        self._sequencers = sequencers(self)
        self._assembly = Assembly(
            settings=settings,
            host=host,
            telemetry=telemetry,
            keys=keys,
            meta=meta,
            peers=peers,
            sequencers=self._sequencers,
        )
        self.methods = self._assembly.methods
        self._door = door(self.methods) if door else None

    # ---- what others see ---------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        """Registered, peers found, serving."""
        return self._healthy

    @property
    def server_id(self) -> ServerId | None:
        """Of this process, None before it has one."""
        return self._session.record.server_id or None if self._session else None

    @property
    def address(self) -> str:
        """Where peers reach this process."""
        return self._server.address

    @property
    def public_address(self) -> str:
        """Where clients reach it, "" without a front door."""
        return self._door.address if self._door else ""

    @property
    def master_address(self) -> str | None:
        """Where the leading master service answers, None while none is known."""
        leader = self._assembly.leaders.leader(Role.MASTER_SERVICE)
        return leader.address if leader else None

    # ---- life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Register, serve, return after `stop`; raises only what the process must die of."""
        await self._server.start(self._handlers())
        try:
            if self._door:
                await self._door.start()
            await self._serve()
        finally:
            self._healthy = False
            if self._door:
                await self._door.stop()
            await self._server.stop()

    def stop(self) -> None:
        """Ask for a clean end: calls under way finish, the session is given back."""
        self._stopping.set()

    async def _serve(self) -> None:
        session = self._session = Session(
            meta=self._meta,
            keys=self._keys,
            host=self._host,
            telemetry=self._telemetry,
            role=Role.PROXY,
            node_name=self._node_name,
            address=self._server.address,
            public_address=self.public_address,
        )
        async with TaskGroup(self._node_name) as group:
            group.spawn("begin", self._begin(session, group))
            await self._stopping.wait()
            await self._end(session)
            group.cancel()

    async def _begin(self, session: Session, group: TaskGroup) -> None:
        await session.start()
        group.spawn("session", session.run())
        self._assembly.sequencing.server_id = session.server_id
        self._assembly.follow(group)
        self._sequencing = group.spawn("sequencers", self._sequencers.run())
        await self._assembly.found()
        await session.set_state(SessionState.HEALTHY)
        self._healthy = True
        self._telemetry.log.info("serves clients", address=self.public_address)

    async def _end(self, session: Session) -> None:
        """Take nothing more from clients, let the sequencers finish, give the session back."""
        self._healthy = False
        if session.record.server_id:
            stopping = session.set_state(SessionState.STOPPING)
            with contextlib.suppress(TimeoutError):  # the store is away: the lease will end
                await within(self._host.clock, STOP_S, stopping)
        if self._door:
            await self._door.stop()
        self._sequencers.stop()
        if self._sequencing:
            await self._sequencing
        await session.close()

    # ---- for peers ---------------------------------------------------------------------------

    def _handlers(self) -> Mapping[type, Handler]:
        return {
            **self._sequencers.handlers(),
            StatusRequest: self._status,
            SegmentFlushedRequest: self._segment_flushed,
        }

    async def _status(self, request: StatusRequest) -> StatusResponse:
        record = self._session.record if self._session else None
        details: dict[str, Any] = {"public_address": self.public_address}
        if request.topic in ABOUT_PCHANNELS:
            details["pchannels"] = self._sequencers.status()
        return StatusResponse(
            role=Role.PROXY,
            node_name=self._node_name,
            server_id=record.server_id if record else 0,
            state=record.state if record else SessionState.INITIALIZING,
            details=encode(details),
        )

    async def _segment_flushed(self, request: SegmentFlushedRequest) -> Done:
        """Nothing is kept here that a flushed segment would change."""
        return Done()
