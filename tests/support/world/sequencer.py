"""Processes with sequencers, in memory: the log, the meta store, a master service that grants.

**Owns** the surroundings of `Sequencers` and the stand-in for the master service. **Does not own**
the sequencers, or time (`support.world.clock`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pyarrow as pa

from headrace.binlog.body import encode_rows
from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.meta.api import Put
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    DdlRecord,
    PChannelRecord,
    SequencerRecord,
)
from headrace.model import codec
from headrace.model.channel import Position
from headrace.model.entry import Body, Entry
from headrace.model.errors import Unavailable
from headrace.model.group import Group, decode
from headrace.model.timestamp import compose
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.rpc.memory import MemoryNetwork
from headrace.rpc.messages import (
    AllocIdsRequest,
    AllocIdsResponse,
    AppendRequest,
    GrantRequest,
    GrantResponse,
)
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.telemetry import silent
from headrace.sequencer.service import Sequencers
from headrace.sequencer.settings import SequencerSettings
from support.players.sequencer import PCHANNEL, VCHANNEL, collection, noted
from support.world.clock import ManualClock, manual_host

T = TypeVar("T")
MASTER = "127.0.0.1:1"


def rows(*keys: int) -> Body:
    """A body with these keys."""
    return encode_rows(pa.RecordBatch.from_arrays([pa.array(keys, pa.int64())], names=["id"]))


class Master:
    """Grants to whom the record names, leases ids; `away` = it does not answer."""

    def __init__(self, clock: ManualClock, wanted: Callable[[str], int]) -> None:
        self._clock = clock
        self._wanted = wanted
        self._next = compose(clock.wall_ms())
        self._ids = 1
        self.away = False
        self.grants: list[GrantRequest] = []

    async def grant(self, request: GrantRequest) -> GrantResponse:
        """See `GrantRequest`."""
        if self.away:
            raise Unavailable("away")
        self.grants.append(request)
        first = max(self._next, compose(self._clock.wall_ms()))
        self._next = first + request.count
        mine = tuple(p for p in request.pchannels if self._wanted(p) == request.server_id)
        return GrantResponse(first=first, count=request.count, pchannels=mine)

    async def ids(self, request: AllocIdsRequest) -> AllocIdsResponse:
        """See `AllocIdsRequest`."""
        if self.away:
            raise Unavailable("away")
        first, self._ids = self._ids, self._ids + request.count
        return AllocIdsResponse(first, request.count)


class World:
    """A meta store with one collection of two shards in one pchannel, and its log."""

    def __init__(self, log: MemoryLogServer | None = None) -> None:
        self.clock = ManualClock()
        self.keys = Keys()
        self.meta_server = MemoryMetaServer(self.clock)
        self.meta = self.meta_server.client("test")
        self.log = log or MemoryLogServer()
        self.network = MemoryNetwork(self.clock)
        self.master = Master(self.clock, self._wanted)
        self.master_server = self.network.server(MASTER)
        self.telemetry = silent()
        self.running: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """The master service serves, the pchannel is there with its collection."""
        await self.master_server.start(
            {GrantRequest: self.master.grant, AllocIdsRequest: self.master.ids}
        )
        self.log.ensure(PCHANNEL)
        record = collection()
        await self.put(self.keys.pchannel(PCHANNEL), PChannelRecord(vchannels=record.vchannels))
        await self.collection(record, noted(1, 0))

    async def collection(self, record: CollectionRecord, *ddls: DdlRecord) -> None:
        """Record a collection and its history."""
        await self.put(self.keys.collection(record.id), record)
        for ddl in ddls:
            await self.put(self.keys.ddl(record.id, ddl.version), ddl)

    async def checkpoint(self, message_id: int) -> None:
        """Store a channel checkpoint."""
        position = Position(PCHANNEL, message_id, 1)
        record = CheckpointRecord(position=position, start=position)
        await self.put(self.keys.checkpoint(VCHANNEL), record)

    async def put(self, key: str, value: object) -> None:
        """Write a record."""
        await self.meta.txn((), (Put(key, codec.encode(value)),))

    async def assignment(self, server_id: int) -> None:
        """The master service assignments that process."""
        record = SequencerRecord(server_id=server_id, node_name=f"p{server_id}", address="x:1")
        await self.put(self.keys.sequencer(PCHANNEL), record)

    def process(
        self,
        server_id: int,
        *,
        log: Any = None,
        crash: CrashPoints | None = None,
        **changes: Any,
    ) -> Sequencers:
        """A process with sequencers, running."""
        sequencers = Sequencers(
            Surroundings(
                settings=SequencerSettings(**changes),
                node_name=f"p{server_id}",
                host=manual_host(self.clock),
                telemetry=self.telemetry,
                keys=self.keys,
                meta=self.meta_server.client(f"p{server_id}"),
                log=log or self.log.client(),
                objects=MemoryObjects(MemoryBucket(self.clock)),
                peers=self.network.peers(f"p{server_id}"),
                server=self.network.server(),
                crash=crash or NoCrashPoints(),
                validate=True,
            ),
            server_id=lambda: server_id,
            address=lambda: f"127.0.0.1:{9000 + server_id}",
            master_address=lambda: MASTER,
        )
        self.running.append(asyncio.create_task(sequencers.run()))
        return sequencers

    async def opened(self, server_id: int, **changes: Any) -> Sequencers:
        """A assigned process that sequences."""
        sequencers = self.process(server_id, **changes)
        await self.assignment(server_id)
        await self.until(lambda: sequencers.sequences(PCHANNEL))
        return sequencers

    async def until(self, reached: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Let time pass until it is so."""
        began = self.clock.monotonic()
        await self.clock.advance(0)
        while not reached():
            assert self.clock.monotonic() - began < limit_s, "it never came"
            await self.clock.advance(0.01)

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; time passes as needed."""
        return await self.clock.run(work)

    async def end(self) -> None:
        """Cancel whatever runs; what a process died of is raised."""
        for task in self.running:
            task.cancel()
        for outcome in await asyncio.gather(*self.running, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(
                outcome, asyncio.CancelledError
            ):
                raise outcome

    def groups(self) -> list[Group]:
        """All that stands in the log."""
        return [decode(m.data) for m in self.log.messages(PCHANNEL)]

    def entries(self) -> list[Entry]:
        """All entries that stand in the log."""
        return [entry for group in self.groups() for entry in group.entries]

    def _wanted(self, pchannel: str) -> int:
        found = self.meta_server.read(self.keys.sequencer(pchannel), False, 0)
        if found.first is None:
            return 0
        return codec.decode(found.first.value, SequencerRecord).server_id


def request(name: str, *keys: int, **changes: Any) -> AppendRequest:
    """A part with real rows, first sent at the beginning."""
    values: dict[str, Any] = {
        "vchannel": VCHANNEL,
        "collection_id": 7,
        "partition_id": 1,
        "version": 1,
        "part_id": name.encode().ljust(16, b"."),
        "fingerprint": name.encode().ljust(16, b"."),
        "first_sent": compose(1_700_000_000_000),
        "keyed": False,
        "rows": len(keys),
        "body": rows(*keys),
    }
    return AppendRequest(**(values | changes))
