"""A cluster around a data service, in memory: fakes of the other roles on the edges."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from headrace.binlog import manifest, paths
from headrace.binlog.manifest import Manifest
from headrace.dataservice.service import DataService
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.state.channel_state import VChannelState, read_channel
from headrace.meta.api import Delete, Put
from headrace.meta.memory import CallHook
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
)
from headrace.model import codec
from headrace.model.channel import pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.errors import Unavailable
from headrace.model.segment import FileRef
from headrace.objects.memory import MemoryObjects, StoreFault
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from support.world.edges import Edges
from support.world.facts import (
    COLLECTION,
    PARTITION,
    SCHEMA,
    position,
    stamp,
    vchannels_of,
)
from support.world.fakes.datanode import FakeNode
from support.world.fakes.masterservice import FakeMasterService
from support.world.fakes.sequencer import FakeProxy


class World(Edges):
    """The edges, and everybody but the data service."""

    def __init__(self, settings: DataServiceSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or DataServiceSettings(settle_s=0.1, balance_delay_s=0.5)
        self.master = FakeMasterService(self)
        self.master.now = stamp(1)
        self.proxy = FakeProxy(self, 901)
        self.nodes: dict[int, FakeNode] = {}
        self.bucket_away = False  # for data services
        self._running: dict[str, asyncio.Task[None]] = {}
        self.services: dict[str, DataService] = {}

    # ---- the data service ------------------------------------------------------------------------

    async def start(
        self,
        name: str = "data-service",
        hook: CallHook | None = None,
        crash: CrashPoints | None = None,
    ) -> DataService:
        """A process of the data service; it leads as soon as nobody else does."""
        objects = MemoryObjects(self.bucket, self._bucket_fault)
        crash = crash or NoCrashPoints()
        service = DataService(
            self.process(self.settings, name, hook=hook, objects=objects, crash=crash)
        )
        self.services[name] = service
        self._running[name] = asyncio.create_task(service.run())
        return service

    def _bucket_fault(self, operation: str, key: str) -> StoreFault | None:
        return StoreFault(unsent=True) if self.bucket_away else None

    async def kill(self, name: str) -> None:
        """The process ends without a word; its lease ends by itself."""
        service = self.services.pop(name)
        self.network.kill(service.address)
        task = self._running.pop(name)
        session = service.session
        if session is not None:
            session.close = _nothing  # type: ignore[method-assign]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def end(self) -> None:
        """Stop everything; an error of a process is raised here."""
        for service in self.services.values():
            service.stop()
        await asyncio.gather(*self._running.values())

    async def ask(self, request: Any, timeout_s: float = 5.0) -> Any:
        """Ask the leading data service."""
        leader = self.read(self.keys.leader(Role.DATA_SERVICE), LeaderRecord)
        if leader is None:
            raise Unavailable("nobody leads")
        return await self.peers.call(leader.address, request, timeout_s=timeout_s)

    # ---- the others ------------------------------------------------------------------------------

    async def add_node(self, server_id: int, name: str = "") -> FakeNode:
        """A HEALTHY data node whose session lasts until `end_session`."""
        node = FakeNode(self, server_id, name or f"node-{server_id}")
        self.nodes[server_id] = node
        await node.start()
        node.register()
        return node

    def end_session(self, server_id: int) -> None:
        """The lease of that node ends."""
        key = self.keys.session(Role.DATA_NODE, self.nodes[server_id].name)
        self.store.txn([], [Delete(key)])

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
            carried = self.read(pchannel, PChannelRecord) or PChannelRecord()
            after = replace(carried, vchannels=(*carried.vchannels, vchannel))
            operations.append(Put(pchannel, codec.encode(after)))
        self.store.txn([], operations)
        return vchannels

    def record_ddl(self, ddl: DdlRecord) -> None:
        """One more version of a collection."""
        key = self.keys.collection(ddl.collection_id)
        record = self.read(key, CollectionRecord)
        assert record is not None
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
        found = self.read(self.keys.epoch(vchannel), EpochRecord)
        assert found is not None
        return found

    def checkpoint(self, vchannel: str) -> CheckpointRecord:
        """The channel checkpoint."""
        found = self.read(self.keys.checkpoint(vchannel), CheckpointRecord)
        assert found is not None
        return found

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
            await world.serve(Role.MASTER_SERVICE, world.master.handlers(), "master:1")
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
