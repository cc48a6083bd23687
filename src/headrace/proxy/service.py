"""The proxy process: the front door, and the sequencers that live beside it.

**Owns** what a proxy adds to the life of every role (`frame.service`). **Does not own** the front
door's parts (`assembly`) or the sequencers: they are a role of their own that only shares the
process, so that rows for one of them need no network. Both are handed in: `sequencers` makes those
of this process, `door` the server that clients reach (None: they call `methods`, as in the
simulator).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from headrace.frame.service import RoleService
from headrace.frame.surroundings import Surroundings
from headrace.meta.records import Role
from headrace.meta.session import Session
from headrace.model.ids import ServerId
from headrace.proxy.assembly import Assembly
from headrace.proxy.cluster.sequencers import OwnSequencers
from headrace.proxy.door.methods import Methods
from headrace.proxy.settings import ProxySettings
from headrace.rpc.api import Handler
from headrace.rpc.messages import ManifestStoredRequest
from headrace.runtime.supervise import TaskGroup

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


class Proxy(RoleService[ProxySettings]):
    """See the module. `sequencers` makes those of this process, which ask it for its id, its
    address and that of the master service."""

    role = Role.PROXY

    def __init__(
        self,
        around: Surroundings[ProxySettings],
        *,
        sequencers: Callable[["Proxy"], OwnSequencers],
        door: Callable[[Methods], Door] | None = None,
    ) -> None:
        super().__init__(around)
        self._sequencing: asyncio.Task[None] | None = None
        self._sequencers = sequencers(self)
        self._assembly = Assembly(around, self._sequencers)
        self.methods = self._assembly.methods
        self._door = door(self.methods) if door else None

    # ---- what others see ---------------------------------------------------------------------

    @property
    def server_id(self) -> ServerId | None:
        """Of this process, None before it has one."""
        return self.session.record.server_id or None if self.session else None

    @property
    def public_address(self) -> str:
        """Where clients reach it, "" without a front door."""
        return self._door.address if self._door else ""

    @property
    def master_address(self) -> str | None:
        """Where the leading master service answers, None while none is known."""
        leader = self._assembly.leaders.leader(Role.MASTER_SERVICE)
        return leader.address if leader else None

    def handlers(self) -> Mapping[type, Handler]:
        """What peers ask of the sequencers, and what the data service tells."""
        told: dict[type, Handler] = {ManifestStoredRequest: self._assembly.flush.manifest_stored}
        return {**self._sequencers.handlers(), **told}

    async def details(self, topic: str) -> dict[str, Any]:
        """Where clients reach it, and what it sequences."""
        details: dict[str, Any] = {"public_address": self.public_address}
        if topic in ABOUT_PCHANNELS:
            details["pchannels"] = self._sequencers.status()
        return details

    # ---- life --------------------------------------------------------------------------------

    async def open(self, group: TaskGroup) -> None:
        """The front door first: the session's record names its address."""
        if self._door:
            await self._door.start()

    def begin(self, group: TaskGroup, session: Session) -> None:
        """Follow the meta store, and sequence what is assigned to this process."""
        self._assembly.sequencing.server_id = session.server_id
        self._assembly.follow(group)
        self._sequencing = group.spawn("sequencers", self._sequencers.run())

    async def found(self) -> None:
        """Both services have a leader, and the collections are listed."""
        await self._assembly.found()

    async def finish(self) -> None:
        """Take nothing more from clients, and let the sequencers finish."""
        await self.say_stopping()
        await self.close()
        self._sequencers.stop()
        if self._sequencing:
            await self._sequencing

    async def close(self) -> None:
        """Close the front door."""
        if self._door:
            await self._door.stop()
