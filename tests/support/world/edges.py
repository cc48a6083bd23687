"""What every world in memory stands on: time, the meta store, the log, the bucket, the network."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.meta.api import Put
from headrace.meta.keys import Keys
from headrace.meta.memory import CallHook, MemoryMetaServer, MetaCall
from headrace.meta.records import LeaderRecord, Role, SessionRecord
from headrace.model import codec
from headrace.model.errors import Unavailable
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.rpc.api import Server
from headrace.rpc.memory import MemoryNetwork
from headrace.runtime.host import Host
from headrace.runtime.telemetry import silent
from support.world.clock import ManualClock, manual_host

S = TypeVar("S")
R = TypeVar("R")


class Edges:
    """What processes share, and the short ways to write and read records there."""

    def __init__(self, *, clock: Any = None, log: MemoryLogServer | None = None) -> None:
        self.clock: ManualClock = clock or ManualClock()
        self.keys = Keys()
        self.store = MemoryMetaServer(self.clock)
        self.meta = self.store.client("test")
        self.log = log or MemoryLogServer()
        self.bucket = MemoryBucket(self.clock)
        self.objects = MemoryObjects(self.bucket)
        self.network = MemoryNetwork(self.clock)
        self.peers = self.network.peers("test")
        self.telemetry = silent()  # of processes that are started from now on
        self.started = 0
        self.tasks: list[asyncio.Task[Any]] = []

    def process(
        self,
        settings: S,
        name: str,
        *,
        hook: CallHook | None = None,
        host: Host | None = None,
        **others: Any,
    ) -> Surroundings[S]:
        """Surroundings of another process; `others` stand in place of what it gets else."""
        self.started += 1
        edges: dict[str, Any] = {
            "telemetry": self.telemetry,
            "meta": self.store.client(f"{name}#{self.started}", hook),
            "log": self.log.client(),
            "objects": self.objects,
            "server": self.network.server(f"{name}:{self.started}"),
            "validate": True,
        }
        return Surroundings(
            settings=settings,
            node_name=name,
            host=host or manual_host(self.clock, self.started),
            keys=self.keys,
            peers=self.network.peers(name),
            **(edges | others),
        )

    def write(self, key: str, record: object) -> int:
        """The revision at which the record stands."""
        return self.store.txn([], [Put(key, codec.encode(record))]).revision

    def read(self, key: str, kind: type[R]) -> R | None:
        """The record at a key."""
        found = self.store.read(key, False, 0).first
        return codec.decode(found.value, kind) if found else None

    def records(self, prefix: str, kind: type[R]) -> dict[str, R]:
        """The records below a prefix, by what follows it in their keys."""
        items = self.store.read(prefix, True, 0).items
        return {i.key.removeprefix(prefix): codec.decode(i.value, kind) for i in items}

    def appoint(self, role: Role, address: str, server_id: int = 900) -> int:
        """Make the process at that address the role's leader; the revision."""
        record = LeaderRecord(server_id=server_id, node_name=role, address=address)
        return self.write(self.keys.leader(role), record)

    async def serve(self, role: Role, handlers: Mapping[type, Any], address: str = "") -> Server:
        """A fake of this role answers and leads."""
        server = self.network.server(address or f"{role}:1")
        await server.start(handlers)
        self.appoint(role, server.address)
        return server

    def register(self, session: SessionRecord) -> None:
        """A session that lasts until it is deleted."""
        self.write(self.keys.session(session.role, session.node_name), session)

    async def until(self, condition: Callable[[], bool], limit_s: float = 300.0) -> None:
        """Let time pass until it holds; what a process died of is raised."""
        deadline = self.clock.monotonic() + limit_s
        while not condition():
            assert self.clock.monotonic() < deadline, "it did not come to hold"
            for task in self.tasks:
                if task.done() and not task.cancelled() and (error := task.exception()):
                    raise error
            await self.clock.sleep(0.05)

    async def end(self) -> None:
        """Cancel what still runs."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Line:
    """One process's way to the meta store, with a switch. Implements `meta.memory.CallHook`.

    `cut`: nothing gets through. `lose_answers`: the next so many calls of these methods are done,
    and their answers lost. `calls` are those that came.
    """

    def __init__(self) -> None:
        self.cut = False
        self.lose_answers: dict[str, int] = {}
        self.calls: list[MetaCall] = []

    async def before(self, call: MetaCall) -> None:
        if self.cut:
            raise Unavailable("the line is cut")
        self.calls.append(call)

    async def after(self, call: MetaCall) -> None:
        if self.lose_answers.get(call.method, 0) > 0:
            self.lose_answers[call.method] -= 1
            raise Unavailable("the answer is lost")
        if self.cut:
            raise Unavailable("the line is cut")
