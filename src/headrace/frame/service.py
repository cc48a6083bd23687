"""The life of a role's process: its server, its session, its parts, its health, its end.

**Owns** the order of start and end, and what every role answers. **Does not own** what a role adds:
the parts that run while it is registered, the requests it answers, how it finishes.

The server starts first, since the session's record names its address. A process is INITIALIZING
until the leaders that it needs are found, then HEALTHY. Losing the lease ends nothing: the session
registers anew as the same process. A process that was replaced under its node name dies of
`Fenced`.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from headrace.frame.surroundings import Surroundings
from headrace.meta.following import LeaderWatcher
from headrace.meta.records import Role, SessionState
from headrace.meta.session import TTL_S, Session
from headrace.model.errors import Fenced
from headrace.rpc.api import Handler
from headrace.rpc.messages import StatusRequest, StatusResponse
from headrace.runtime.journal import replay
from headrace.runtime.race import within
from headrace.runtime.supervise import TaskGroup

S = TypeVar("S")
STOPPING_S = 2.0  # a process that ends does not wait longer for the store to say so


class RoleService(Generic[S]):
    """What all roles share. `run` it once; it raises only what the process must die of."""

    role: ClassVar[Role]
    needs: ClassVar[tuple[Role, ...]] = ()  # whose leaders it follows, and finds to be HEALTHY

    def __init__(self, around: Surroundings[S], *, ttl_s: int = TTL_S) -> None:
        self.around = around
        self.leaders = {
            role: LeaderWatcher(around.meta, around.keys, role, around.host, around.telemetry)
            for role in self.needs
        }
        self.session: Session | None = None  # once the server listens
        self._ttl_s = ttl_s
        self._healthy = False
        self._stop = asyncio.Event()

    # ---- what a role adds ----------------------------------------------------------------------

    def handlers(self) -> Mapping[type, Handler]:
        """What peers may ask beside the status."""
        return {}

    async def details(self, topic: str) -> dict[str, Any]:
        """What it says of itself, by topic of a status; {} when it has nothing to say."""
        return {}

    async def open(self, group: TaskGroup) -> None:
        """Begin what does not wait for the registration."""

    def begin(self, group: TaskGroup, session: Session) -> None:
        """Spawn the parts that run from the registration on."""

    async def found(self) -> None:
        """Wait for what it needs to be HEALTHY, beside the leaders."""

    async def finish(self) -> None:
        """Finish what is under way, after `stop` and before the session is given back."""

    async def close(self) -> None:
        """Give back what it opened, however it ended."""

    @property
    def public_address(self) -> str:
        """Where clients reach it, "" when they do not."""
        return ""

    @property
    def address(self) -> str:
        """Where peers reach this process."""
        return self.around.server.address

    # ---- life ----------------------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        """Registered, leaders found, and not asked to stop."""
        return self._healthy and not self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Live until `stop`. Dies of `Fenced` when it was replaced under its node name."""
        around, name = self.around, self.role.value
        await around.server.start({StatusRequest: self._status, **self.handlers()})
        try:
            async with TaskGroup(name) as group:
                await self.open(group)
                self.session = Session(
                    meta=around.meta,
                    keys=around.keys,
                    host=around.host,
                    telemetry=around.telemetry,
                    role=self.role,
                    node_name=around.node_name,
                    address=self.address,
                    public_address=self.public_address,
                    ttl_s=self._ttl_s,
                )
                group.spawn("life", self._live(self.session), must_not_end=True)
                await self._stop.wait()
                await self.finish()
                group.cancel()
        finally:
            if self.session is not None:
                await self.session.close()
            await self.close()
            await around.server.stop()

    async def say_stopping(self) -> None:
        """Have the session's record say STOPPING, unless the store is away."""
        if self.session is not None and self.session.record.server_id:
            stopping = self.session.set_state(SessionState.STOPPING)
            # Who was replaced under this node name learns it from the session itself.
            with contextlib.suppress(TimeoutError, Fenced):
                await within(self.around.host.clock, STOPPING_S, stopping)

    async def _live(self, session: Session) -> None:
        await session.start()
        async with TaskGroup(self.role.value) as group:
            group.spawn("session", session.run(), must_not_end=True)
            for role, leader in self.leaders.items():
                group.spawn(f"leader of {role.value}", leader.run(), must_not_end=True)
            self.begin(group, session)
            group.spawn("healthy", self._become_healthy(session))

    async def _become_healthy(self, session: Session) -> None:
        for leader in self.leaders.values():
            await leader.found()
        await self.found()
        if not self._stop.is_set():
            await session.set_state(SessionState.HEALTHY)
            self._healthy = True

    async def _about_steps(self, topic: str) -> dict[str, Any]:
        """What journals tell, made beside the loop: they may be long."""
        if not replay.is_about_steps(topic):
            return {}
        journals = self.around.telemetry.journals
        records = {name: replay.recorded(journal) for name, journal in journals.items()}
        return await self.around.host.offload.run(lambda: replay.details(records, topic))

    async def _status(self, request: StatusRequest) -> StatusResponse:
        record = self.session.record if self.session else None
        details = await self._about_steps(request.topic) or await self.details(request.topic)
        return StatusResponse(
            role=self.role.value,
            node_name=self.around.node_name,
            server_id=record.server_id if record else 0,
            state=(record.state if record else SessionState.INITIALIZING).value,
            details=details,
        )
