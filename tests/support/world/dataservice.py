"""A cluster around a data service, in memory: data nodes, a master service, a proxy, the edges.

**Owns** the stand-ins for the other roles, as far as the data service sees them. **Does not own**
the data service itself, or faults on the way (hooks of the in-memory edges).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from headrace.binlog import manifest, paths
from headrace.binlog.manifest import Manifest
from headrace.dataservice.service import DataService
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.state.channel_state import VChannelState, read_channel
from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.meta.api import Delete, Put
from headrace.meta.keys import Keys
from headrace.meta.memory import CallHook, MemoryMetaServer
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    CollectionState,
    DdlRecord,
    EpochRecord,
    LeaderRecord,
    PartitionRecord,
    PChannelRecord,
    Role,
    SessionRecord,
    SessionState,
)
from headrace.model import codec
from headrace.model.channel import pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.errors import Fenced, Unavailable
from headrace.model.segment import FileRef
from headrace.objects.memory import MemoryBucket, MemoryObjects, StoreFault
from headrace.rpc.memory import MemoryNetwork
from headrace.rpc.messages import (
    AllocTimestampRequest,
    AllocTimestampResponse,
    AwaitTimestampsRequest,
    ChannelState,
    Done,
    ManifestStoredRequest,
    NodeStateRequest,
    NodeStateResponse,
    ReleaseDmChannelRequest,
    SegmentFlushedRequest,
    Watch,
    WatchDmChannelsRequest,
)
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.telemetry import silent
from support.world.clock import ManualClock, manual_host
from support.world.facts import (
    COLLECTION,
    PARTITION,
    SCHEMA,
    position,
    stamp,
    vchannels_of,
)


class World:
    """The store, the log, the bucket, the network, and everybody but the data service."""

    def __init__(self, settings: DataServiceSettings | None = None) -> None:
        self.settings = settings or DataServiceSettings(settle_s=0.1, balance_delay_s=0.5)
        self.clock = ManualClock()
        self.keys = Keys()
        self.store = MemoryMetaServer(self.clock)
        self.meta = self.store.client("test")
        self.log = MemoryLogServer()
        self.bucket = MemoryBucket(self.clock)
        self.objects = MemoryObjects(self.bucket)
        self.telemetry = silent()  # of data services that are started from now on
        self.network = MemoryNetwork(self.clock)
        self.peers = self.network.peers("test")
        self.nodes: dict[int, FakeNode] = {}
        self.announced: list[ManifestStoredRequest] = []
        self.now = stamp(1)  # what the master service answers
        self._starts = 0
        self.bucket_away = False  # for data services
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.services: dict[str, DataService] = {}

    # ---- the data service ------------------------------------------------------------------------

    async def start(
        self,
        name: str = "data-service",
        hook: CallHook | None = None,
        crash: CrashPoints | None = None,
    ) -> DataService:
        """A process of the data service; it leads as soon as nobody else does."""
        self._starts += 1
        service = DataService(
            Surroundings(
                settings=self.settings,
                host=manual_host(self.clock, seed=self._starts),
                telemetry=self.telemetry,
                keys=self.keys,
                node_name=name,
                meta=self.store.client(f"{name}#{self._starts}", hook),
                log=self.log.client(),
                objects=MemoryObjects(self.bucket, self._bucket_fault),
                peers=self.network.peers(name),
                server=self.network.server(f"{name}:{self._starts}"),
                crash=crash or NoCrashPoints(),
                validate=True,
            )
        )
        self.services[name] = service
        self._tasks[name] = asyncio.create_task(service.run())
        return service

    def _bucket_fault(self, operation: str, key: str) -> StoreFault | None:
        return StoreFault(unsent=True) if self.bucket_away else None

    async def kill(self, name: str) -> None:
        """The process ends without a word; its lease ends by itself."""
        service = self.services.pop(name)
        self.network.kill(service.address)
        task = self._tasks.pop(name)
        session = service.session
        if session is not None:
            session.close = _nothing  # type: ignore[method-assign]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def end(self) -> None:
        """Stop everything; an error of a process is raised here."""
        for service in self.services.values():
            service.stop()
        await asyncio.gather(*self._tasks.values())

    async def ask(self, request: Any, timeout_s: float = 5.0) -> Any:
        """Ask the leading data service."""
        found = (await self.meta.get(self.keys.leader(Role.DATA_SERVICE))).first
        if found is None:
            raise Unavailable("nobody leads")
        leader = codec.decode(found.value, LeaderRecord)
        return await self.peers.call(leader.address, request, timeout_s=timeout_s)

    async def until(self, condition: Callable[[], bool], limit_s: float = 120.0) -> None:
        """Let time pass until the condition holds."""
        deadline = self.clock.monotonic() + limit_s
        while not condition():
            assert self.clock.monotonic() < deadline, "it never came to that"
            await self.clock.sleep(0.05)

    # ---- the others ------------------------------------------------------------------------------

    async def add_master(self) -> None:
        """A leading master service, which gives timestamps."""
        server = self.network.server("master:1")
        await server.start({AllocTimestampRequest: self._alloc})
        record = LeaderRecord(server_id=900, node_name="m", address=server.address)
        key = self.keys.leader(Role.MASTER_SERVICE)
        self.store.txn([], [Put(key, codec.encode(record))])

    async def _alloc(self, request: AllocTimestampRequest) -> AllocTimestampResponse:
        return AllocTimestampResponse(self.now)

    async def add_proxy(self) -> None:
        """A proxy that keeps what is announced."""
        server = self.network.server("proxy:1")
        await server.start({ManifestStoredRequest: self._announced})
        self._register(Role.PROXY, "proxy-1", 901, server.address)

    async def _announced(self, request: ManifestStoredRequest) -> Done:
        self.announced.append(request)
        return Done()

    async def add_node(self, server_id: int, name: str = "") -> "FakeNode":
        """A HEALTHY data node whose session lasts until `end_session`."""
        node = FakeNode(self, server_id, name or f"node-{server_id}")
        self.nodes[server_id] = node
        await node.start()
        self._register(Role.DATA_NODE, node.name, server_id, node.address)
        return node

    def end_session(self, server_id: int) -> None:
        """The lease of that node ends."""
        key = self.keys.session(Role.DATA_NODE, self.nodes[server_id].name)
        self.store.txn([], [Delete(key)])

    def register(self, server_id: int, state: SessionState = SessionState.HEALTHY) -> None:
        """The node registers (anew), or changes its state."""
        node = self.nodes[server_id]
        self._register(Role.DATA_NODE, node.name, server_id, node.address, state)

    def _register(
        self,
        role: Role,
        name: str,
        server_id: int,
        address: str,
        state: SessionState = SessionState.HEALTHY,
    ) -> None:
        session = SessionRecord(
            role=role, node_name=name, server_id=server_id, address=address, state=state
        )
        self.store.txn([], [Put(self.keys.session(role, name), codec.encode(session))])

    # ---- collections -----------------------------------------------------------------------------

    def create(self, shards: int = 2, collection_id: int = COLLECTION) -> list[str]:
        """What the master service writes when a collection is made; its vchannels."""
        keys, vchannels = self.keys, vchannels_of(collection_id, shards)
        record = CollectionRecord(
            id=collection_id,
            name=f"c{collection_id}",
            version=1,
            noted=1,
            state=CollectionState.CREATED,
            schema=SCHEMA,
            vchannels=tuple(vchannels),
            partitions=(PartitionRecord(id=PARTITION, name="_default", created=stamp(1)),),
            created=stamp(1),
        )
        ddl = DdlRecord(
            collection_id=collection_id,
            version=1,
            kind=DdlKind.CREATE,
            schema=SCHEMA,
            name=record.name,
            recorded=stamp(1),
            noted=True,
            positions={v: position(v, 2) for v in vchannels},
        )
        operations = [
            Put(keys.collection(collection_id), codec.encode(record)),
            Put(keys.ddl(collection_id, 1), codec.encode(ddl)),
            Put(keys.name(record.name), str(collection_id).encode()),
        ]
        for vchannel in vchannels:
            start = position(vchannel, 1)
            checkpoint = CheckpointRecord(position=start, start=start)
            operations += [
                Put(keys.checkpoint(vchannel), codec.encode(checkpoint)),
                Put(keys.epoch(vchannel), codec.encode(EpochRecord(epoch=0, server_id=0))),
            ]
            pchannel = keys.pchannel(pchannel_of(vchannel))
            found = self.store.read(pchannel, False, 0).first
            carried = codec.decode(found.value, PChannelRecord) if found else PChannelRecord()
            after = replace(carried, vchannels=(*carried.vchannels, vchannel))
            operations.append(Put(pchannel, codec.encode(after)))
        self.store.txn([], operations)
        return vchannels

    def record_ddl(self, ddl: DdlRecord) -> None:
        """One more version of a collection."""
        key = self.keys.collection(ddl.collection_id)
        found = self.store.read(key, False, 0).first
        assert found is not None
        record = codec.decode(found.value, CollectionRecord)
        noted = ddl.version if ddl.noted else record.noted
        after = replace(record, version=ddl.version, noted=noted, schema=ddl.schema)
        operations = [
            Put(key, codec.encode(after)),
            Put(self.keys.ddl(ddl.collection_id, ddl.version), codec.encode(ddl)),
        ]
        self.store.txn([], operations)

    # ---- what stands -----------------------------------------------------------------------------

    def epoch(self, vchannel: str) -> EpochRecord:
        """The epoch record."""
        found = self.store.read(self.keys.epoch(vchannel), False, 0).first
        assert found is not None
        return codec.decode(found.value, EpochRecord)

    def checkpoint(self, vchannel: str) -> CheckpointRecord:
        """The channel checkpoint."""
        found = self.store.read(self.keys.checkpoint(vchannel), False, 0).first
        assert found is not None
        return codec.decode(found.value, CheckpointRecord)

    async def channel(self, vchannel: str) -> VChannelState:
        """All of a vchannel."""
        return await read_channel(self.meta, self.keys, vchannel)

    def listed(self, collection_id: int = COLLECTION) -> Manifest | None:
        """The highest manifest."""
        lists = self.bucket.list(paths.manifests_prefix(collection_id))
        if not lists:
            return None
        return codec.decode(self.bucket.get(lists[-1].key), manifest.Manifest)

    def put_files(self, files: Sequence[FileRef]) -> None:
        """What a node stores before it reports."""
        for file in files:
            for key in (file.key, file.stats_key):
                if key:
                    self.bucket.put(key, b"x")

    def holders(self, vchannels: Sequence[str]) -> dict[str, str]:
        """Which node's epoch each vchannel has."""
        return {v: self.epoch(v).node_name for v in vchannels}

    def running(self, vchannel: str) -> bool:
        """Whether the process of the present epoch runs its flowgraph."""
        epoch = self.epoch(vchannel)
        node = self.nodes.get(epoch.server_id)
        state = node.states.get(vchannel) if node else None
        return bool(state and state.epoch == epoch.epoch and state.state == "running")


def play(
    scene: Callable[[World], Awaitable[None]], settings: DataServiceSettings | None = None
) -> None:
    """Run a scene in a world with one data service, on time that passes when all wait."""

    async def whole() -> None:
        world = World(settings)

        async def inside() -> None:
            await world.add_master()
            service = await world.start()
            await world.until(lambda: service.leads)
            await scene(world)
            await world.end()

        await world.clock.run(inside())

    asyncio.run(whole())


async def watched(world: World, vchannels: Sequence[str]) -> None:
    """Wait until a flowgraph of the present epoch runs for each."""
    await world.until(lambda: all(world.running(v) for v in vchannels))


async def _nothing() -> None:
    """The last word of a killed process."""


@dataclass(slots=True)
class FakeNode:
    """A data node, as far as the data service sees it: flowgraphs that run and do nothing."""

    world: World
    server_id: int
    name: str
    address: str = ""
    states: dict[str, ChannelState] = field(default_factory=dict)
    watches: list[Watch] = field(default_factory=list)  # all that were accepted
    releases: list[ReleaseDmChannelRequest] = field(default_factory=list)
    awaited: dict[str, int] = field(default_factory=dict)
    flushed: list[SegmentFlushedRequest] = field(default_factory=list)
    highest: dict[str, int] = field(default_factory=dict)
    drains: bool = True  # whether a release is carried out
    refuses: bool = False  # whether watches are refused

    async def start(self) -> None:
        """Begin to answer."""
        server = self.world.network.server(f"{self.name}:{self.server_id}")
        self.address = server.address
        await server.start(
            {
                WatchDmChannelsRequest: self._watch,
                ReleaseDmChannelRequest: self._release,
                NodeStateRequest: self._state,
                AwaitTimestampsRequest: self._await,
                SegmentFlushedRequest: self._flushed,
            }
        )

    def kill(self) -> None:
        """SIGKILL: the port refuses, the session stays until its lease ends."""
        self.world.network.kill(self.address)
        self.states.clear()

    def fail(self, vchannel: str, reason: str) -> None:
        """A flowgraph ends by itself."""
        self.states[vchannel] = replace(self.states[vchannel], state="failed", reason=reason)

    async def _watch(self, request: WatchDmChannelsRequest) -> Done:
        if request.server_id != self.server_id or self.refuses:
            raise Fenced(f"this is process {self.server_id}")
        for watch in request.watches:
            state = self.states.get(watch.vchannel)
            if state is not None and state.epoch == watch.epoch and state.state == "running":
                continue
            if watch.epoch <= self.highest.get(watch.vchannel, 0):
                raise Fenced(f"{watch.vchannel}: epoch {watch.epoch} is not above the highest")
            self.highest[watch.vchannel] = watch.epoch
            self.watches.append(watch)
            self.states[watch.vchannel] = ChannelState(
                vchannel=watch.vchannel,
                epoch=watch.epoch,
                state="running",
                consumed=watch.seek,
                checkpoint=watch.seek,
                buffered_bytes=0,
            )
        return Done()

    async def _release(self, request: ReleaseDmChannelRequest) -> Done:
        if request.server_id != self.server_id:
            raise Fenced(f"this is process {self.server_id}")
        self.releases.append(request)
        state = self.states.get(request.vchannel)
        if self.drains and state is not None and state.epoch == request.epoch:
            self.states[request.vchannel] = replace(state, state="released")
        return Done()

    async def _state(self, request: NodeStateRequest) -> NodeStateResponse:
        if request.server_id != self.server_id:
            raise Fenced(f"this is process {self.server_id}")
        return NodeStateResponse(server_id=self.server_id, channels=tuple(self.states.values()))

    async def _await(self, request: AwaitTimestampsRequest) -> Done:
        for item in request.items:
            self.awaited[item.vchannel] = item.timestamp
        return Done()

    async def _flushed(self, request: SegmentFlushedRequest) -> Done:
        self.flushed.append(request)
        return Done()
