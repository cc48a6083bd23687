"""A cluster around a master service, in memory: proxies that sequence, a data service, the edges.

**Owns** the stand-ins for the other roles, as far as the master service sees them. **Does not own**
the master service itself, or faults on the way (hooks of the in-memory edges).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headrace.frame.actor import Actor
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.masterservice.events import Event
from headrace.masterservice.leading import lead, listed
from headrace.masterservice.machine import MasterMachine
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import Delete, ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.memory import CallHook, MemoryMetaServer
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    DdlRecord,
    LeaderRecord,
    PoolRecord,
    Role,
    SequencerRecord,
    SessionRecord,
    SessionState,
)
from headrace.model import codec
from headrace.model.channel import Position, pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.errors import Fenced
from headrace.model.schema import DataType, Field, Schema
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.rpc.memory import MemoryNetwork
from headrace.rpc.messages import (
    AppendDdlRequest,
    AppendDdlResponse,
    CreateCollectionRequest,
    Done,
    LastPositionRequest,
    PositionResponse,
    StatusRequest,
    StatusResponse,
    StopSequencingRequest,
    StoreNamesRequest,
    VChannelPosition,
)
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.driver import Source
from headrace.runtime.telemetry import silent
from support.world.clock import ManualClock, manual_host

SCHEMA = Schema(fields=(Field(id=100, name="id", type=DataType.INT64, primary=True),))
OTHER = Schema(fields=(Field(id=100, name="key", type=DataType.INT64, primary=True),))


@dataclass(slots=True)
class Stream:
    """A pchannel as its sequencers know it: its last message, and the DDLs of its vchannels."""

    last: int = 1
    ddls: dict[str, list[tuple[int, DdlKind, Position]]] = field(default_factory=dict)


class World:
    """The store, the log, the network and everybody but the master service."""

    def __init__(self, settings: MasterServiceSettings | None = None) -> None:
        self.settings = settings or MasterServiceSettings(pchannels=4)
        self.clock = ManualClock()
        self.keys = Keys()
        self.store = MemoryMetaServer(self.clock)
        self.log = MemoryLogServer()
        self.network = MemoryNetwork(self.clock)
        self.streams: dict[str, Stream] = {}
        self.proxies: dict[int, FakeProxy] = {}
        self.names: list[dict[str, str]] = []  # the lists of names that were stored
        self.stored_revision = 0
        self._tasks: list[asyncio.Task[Any]] = []

    # ---- the master service ------------------------------------------------------------------

    def objects(self) -> MemoryObjects:
        """A store that the master service does not use."""
        return MemoryObjects(MemoryBucket(self.clock))

    def elect(
        self, server_id: int, hook: CallHook | None = None, crash: CrashPoints | None = None
    ) -> "Leading":
        """A leadership of a new process; the leader before it is replaced."""
        key = self.keys.leader(Role.MASTER_SERVICE)
        record = LeaderRecord(server_id=server_id, node_name="m", address=f"m:{server_id}")
        revision = self.store.txn([], [Put(key, codec.encode(record))]).revision
        around = Surroundings(
            settings=self.settings,
            node_name="m",
            host=manual_host(self.clock, seed=server_id),
            telemetry=silent(),
            keys=self.keys,
            meta=self.store.client(f"m{server_id}", hook),
            log=self.log.client(),
            objects=self.objects(),
            peers=self.network.peers(f"m{server_id}"),
            server=self.network.server(),
            crash=crash or NoCrashPoints(),
        )
        return Leading(around, ModRevisionIs(key, revision))

    async def lead(self, leading: "Leading") -> asyncio.Task[str]:
        """Run it; returns when it has read everything and knows the proxies."""
        task = asyncio.create_task(leading.run())
        self._tasks.append(task)
        while leading.actor is None and not task.done():
            await self.clock.sleep(0.01)
        self.tell_proxies(leading)
        return task

    def tell_proxies(self, leading: "Leading") -> None:
        """What the watch of the sessions would tell."""
        if leading.actor is not None:
            sessions = [p.session for p in self.proxies.values() if p.alive]
            leading.actor.post(listed(sessions), Source.WATCH)

    async def end(self) -> None:
        """Stop every leadership."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- the others --------------------------------------------------------------------------

    async def add_proxy(self, server_id: int) -> "FakeProxy":
        """A HEALTHY proxy with a session that lasts until `end_session`."""
        proxy = FakeProxy(self, server_id)
        self.proxies[server_id] = proxy
        await proxy.start()
        session = proxy.session
        key = self.keys.session(session.role, session.node_name)
        self.store.txn([], [Put(key, codec.encode(session))])
        return proxy

    def end_session(self, server_id: int) -> None:
        """The lease of that proxy ends."""
        session = self.proxies[server_id].session
        self.store.txn([], [Delete(self.keys.session(session.role, session.node_name))])

    async def add_data_service(self) -> None:
        """A leading data service."""
        server = self.network.server("data-service:1")
        await server.start({StoreNamesRequest: self._store_names})
        record = LeaderRecord(server_id=77, node_name="d", address=server.address)
        key = self.keys.leader(Role.DATA_SERVICE)
        self.store.txn([], [Put(key, codec.encode(record))])

    async def _store_names(self, request: StoreNamesRequest) -> Done:
        found = self.store.read(self.keys.names_prefix, True, 0)
        assert found.revision >= request.revision
        prefix = self.keys.names_prefix
        self.names.append({i.key.removeprefix(prefix): i.value.decode() for i in found.items})
        self.stored_revision = found.revision
        return Done()

    # ---- what stands -------------------------------------------------------------------------

    def value(self, key: str) -> bytes:
        """What stands at a key, empty when nothing does."""
        found = self.store.read(key, False, 0).first
        return found.value if found else b""

    def collections(self) -> dict[int, CollectionRecord]:
        """All records of collections."""
        items = self.store.read(self.keys.collections_prefix, True, 0).items
        records = [codec.decode(i.value, CollectionRecord) for i in items]
        return {r.id: r for r in records}

    def history(self, collection_id: int) -> list[DdlRecord]:
        """The DDLs of a collection."""
        items = self.store.read(self.keys.ddl_prefix(collection_id), True, 0).items
        return [codec.decode(i.value, DdlRecord) for i in items]

    def wanted(self) -> dict[str, int]:
        """Which server id is wanted for each pchannel."""
        prefix = self.keys.sequencers_prefix
        items = self.store.read(prefix, True, 0).items
        records = {
            i.key.removeprefix(prefix): codec.decode(i.value, SequencerRecord) for i in items
        }
        return {p: r.server_id for p, r in records.items()}

    def check(self) -> None:
        """What must hold whenever all is quiet: every DDL stands in every vchannel, once, in order,
        where its note says; the names are those of the collections, and the stored list is theirs.
        """
        pool = codec.decode(self.value(self.keys.pool), PoolRecord).pchannels
        names = {}
        for record in self.collections().values():
            assert record.noted == record.version, record
            history = self.history(record.id)
            assert [d.version for d in history] == list(range(1, record.version + 1))
            if history[-1].kind is not DdlKind.DROP:
                names[record.name] = str(record.id)
            for vchannel in record.vchannels:
                assert pchannel_of(vchannel) in pool
                stand = self.streams[pchannel_of(vchannel)].ddls[vchannel]
                assert [(v, k) for v, k, _ in stand] == [(d.version, d.kind) for d in history]
                assert [at for _, _, at in stand] == [d.positions[vchannel] for d in history]
                start = codec.decode(
                    self.value(self.keys.checkpoint(vchannel)), CheckpointRecord
                ).start
                assert start.message_id < stand[0][2].message_id
        prefix = self.keys.names_prefix
        items = self.store.read(prefix, True, 0).items
        assert {i.key.removeprefix(prefix): i.value.decode() for i in items} == names
        assert self.names and self.names[-1] == names


class Leading:
    """One leadership without a session, an election and a watch."""

    def __init__(self, around: Surroundings[MasterServiceSettings], leads: ModRevisionIs) -> None:
        self._around = around
        self._store = LeaderStore(around.meta, leads, around.host, around.settings.pauses)
        self.actor: Actor[MasterMachine, Event] | None = None

    async def run(self) -> str:
        """Lead until another leads; why it ended."""
        try:
            self.actor = await lead(self._around, self._store)
        except Fenced as error:
            return error.message
        return await self.actor.run()

    async def ask(self, make: Callable[[int], Event]) -> Any:
        """What the machine answers."""
        assert self.actor is not None, "it has begun"
        return await self.actor.ask(make)


class FakeProxy:
    """A proxy process, as far as the master service sees it. Appends a DDL once, as a sequencer
    does: one not above the present version is a no-op with the same answer."""

    def __init__(self, world: World, server_id: int) -> None:
        self._world = world
        self.server_id = server_id
        self.alive = True
        self.stopped: list[str] = []
        self._server = world.network.server(f"proxy:{server_id}")

    @property
    def session(self) -> SessionRecord:
        """Its session."""
        return SessionRecord(
            role=Role.PROXY,
            node_name=f"proxy-{self.server_id}",
            server_id=self.server_id,
            address=self._server.address,
            state=SessionState.HEALTHY,
        )

    async def start(self) -> None:
        """Listen."""
        await self._server.start(
            {
                StatusRequest: self._status,
                LastPositionRequest: self._last,
                AppendDdlRequest: self._append,
                StopSequencingRequest: self._stop,
            }
        )

    def kill(self) -> None:
        """SIGKILL: connections are refused from here on."""
        self.alive = False
        self._world.network.kill(self._server.address)

    def _stream(self, pchannel: str) -> Stream:
        if self._world.wanted().get(pchannel) != self.server_id:
            raise Fenced(f"{self.server_id} does not sequence {pchannel}")
        return self._world.streams.setdefault(pchannel, Stream())

    async def _status(self, request: StatusRequest) -> StatusResponse:
        return StatusResponse(role="proxy", node_name="", server_id=self.server_id, state="healthy")

    async def _last(self, request: LastPositionRequest) -> PositionResponse:
        last = self._stream(request.pchannel).last
        return PositionResponse(Position(request.pchannel, last, last * 1000))

    async def _append(self, request: AppendDdlRequest) -> AppendDdlResponse:
        stream = self._stream(request.pchannel)
        record, ddl = request.record, request.ddl
        positions = []
        for vchannel in record.vchannels:
            if pchannel_of(vchannel) != request.pchannel:
                continue
            stand = stream.ddls.setdefault(vchannel, [])
            present = stand[-1][0] if stand else 0
            assert ddl.version <= present + 1, "the next DDL only when the last is noted"
            if ddl.version > present:
                stream.last += 1
                at = Position(request.pchannel, stream.last, stream.last * 1000)
                stand.append((ddl.version, ddl.kind, at))
            position = next(at for version, _, at in stand if version == ddl.version)
            positions.append(VChannelPosition(vchannel, position))
        return AppendDdlResponse(tuple(positions))

    async def _stop(self, request: StopSequencingRequest) -> Done:
        assert request.server_id == self.server_id
        self.stopped.append(request.pchannel)
        return Done()


def create_request(name: str, schema: Schema = SCHEMA, shards: int = 2) -> CreateCollectionRequest:
    """As a proxy sends it."""
    return CreateCollectionRequest(name=name, schema=schema, shards=shards)
