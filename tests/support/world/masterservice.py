"""A cluster around a master service, in memory: fakes of proxies and a data service."""

import asyncio
from collections.abc import Callable
from typing import Any

from headrace.frame.actor import Actor
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.masterservice.events import Event, ProxiesListed
from headrace.masterservice.leading import lead
from headrace.masterservice.machine import MasterMachine
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import Delete, ModRevisionIs
from headrace.meta.memory import CallHook
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    DdlRecord,
    PoolRecord,
    Role,
    SequencerRecord,
)
from headrace.model import codec
from headrace.model.channel import pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.errors import Fenced
from headrace.model.schema import DataType, Field, Schema
from headrace.rpc.messages import (
    CreateCollectionRequest,
)
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.driver import Source
from support.world.edges import Edges
from support.world.fakes.dataservice import FakeDataService
from support.world.fakes.sequencer import FakeProxy, Stream

SCHEMA = Schema(fields=(Field(id=100, name="id", type=DataType.INT64, primary=True),))
OTHER = Schema(fields=(Field(id=100, name="key", type=DataType.INT64, primary=True),))


class World(Edges):
    """The edges, and everybody but the master service."""

    def __init__(self, settings: MasterServiceSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or MasterServiceSettings(pchannels=4)
        self.streams: dict[str, Stream] = {}
        self.proxies: dict[int, FakeProxy] = {}
        self.data_service = FakeDataService(self)

    # ---- the master service ------------------------------------------------------------------

    def elect(
        self, server_id: int, hook: CallHook | None = None, crash: CrashPoints | None = None
    ) -> "Leading":
        """A leadership of a new process; the leader before it is replaced."""
        revision = self.appoint(Role.MASTER_SERVICE, f"m:{server_id}", server_id)
        around = self.process(
            self.settings, "m", hook=hook, crash=crash or NoCrashPoints(), validate=False
        )
        return Leading(around, ModRevisionIs(self.keys.leader(Role.MASTER_SERVICE), revision))

    async def lead(self, leading: "Leading") -> asyncio.Task[str]:
        """Run it; returns when it has read everything and knows the proxies."""
        task = asyncio.create_task(leading.run())
        self.tasks.append(task)
        while leading.actor is None and not task.done():
            await self.clock.sleep(0.01)
        self.tell_proxies(leading)
        return task

    def tell_proxies(self, leading: "Leading") -> None:
        """What the watch of the sessions would tell."""
        if leading.actor is not None:
            sessions = [p.session for p in self.proxies.values() if p.alive]
            leading.actor.post(ProxiesListed(tuple(sessions)), Source.WATCH)

    # ---- the others --------------------------------------------------------------------------

    async def add_proxy(self, server_id: int) -> FakeProxy:
        """A HEALTHY proxy with a session that lasts until `end_session`."""
        proxy = FakeProxy(self, server_id, self.streams)
        self.proxies[server_id] = proxy
        await proxy.start()
        return proxy

    def end_session(self, server_id: int) -> None:
        """The lease of that proxy ends."""
        session = self.proxies[server_id].session
        self.store.txn([], [Delete(self.keys.session(session.role, session.node_name))])

    async def add_data_service(self) -> None:
        """A leading data service."""
        await self.serve(Role.DATA_SERVICE, self.data_service.handlers())

    # ---- what stands -------------------------------------------------------------------------

    def value(self, key: str) -> bytes:
        """What stands at a key, empty when nothing does."""
        found = self.store.read(key, False, 0).first
        return found.value if found else b""

    def collections(self) -> dict[int, CollectionRecord]:
        """All records of collections."""
        found = self.records(self.keys.collections_prefix, CollectionRecord)
        return {r.id: r for r in found.values()}

    def history(self, collection_id: int) -> list[DdlRecord]:
        """The DDLs of a collection."""
        return list(self.records(self.keys.ddl_prefix(collection_id), DdlRecord).values())

    def wanted(self) -> dict[str, int]:
        """Which server id is wanted for each pchannel."""
        found = self.records(self.keys.sequencers_prefix, SequencerRecord)
        return {p: r.server_id for p, r in found.items()}

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
        assert self.data_service.names and self.data_service.names[-1] == names


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


def create_request(name: str, schema: Schema = SCHEMA, shards: int = 2) -> CreateCollectionRequest:
    """As a proxy sends it."""
    return CreateCollectionRequest(name=name, schema=schema, shards=shards)
