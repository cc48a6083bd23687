"""Processes with sequencers, in memory: the log, the meta store, a fake master service."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pyarrow as pa

from headrace.binlog.body import encode_rows
from headrace.log.memory import MemoryLogServer
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    DdlRecord,
    PChannelRecord,
    SequencerRecord,
)
from headrace.model.channel import Position
from headrace.model.entry import Body, Entry
from headrace.model.group import Group, decode
from headrace.model.timestamp import compose
from headrace.rpc.messages import (
    AppendRequest,
)
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.sequencer.service import Sequencers
from headrace.sequencer.settings import SequencerSettings
from support.players.sequencer import PCHANNEL, VCHANNEL, collection, noted
from support.world.edges import Edges
from support.world.fakes.masterservice import FakeMasterService

T = TypeVar("T")
MASTER = "127.0.0.1:1"


def rows(*keys: int) -> Body:
    """A body with these keys."""
    return encode_rows(pa.RecordBatch.from_arrays([pa.array(keys, pa.int64())], names=["id"]))


class World(Edges):
    """A meta store with one collection of two shards in one pchannel, and its log."""

    def __init__(self, log: MemoryLogServer | None = None) -> None:
        super().__init__(log=log)
        self.master = FakeMasterService(self)

    async def begin(self) -> None:
        """The master service serves, the pchannel is there with its collection."""
        await self.network.server(MASTER).start(self.master.handlers())
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
        self.write(key, value)

    async def assignment(self, server_id: int) -> None:
        """The master service assignments that process."""
        record = SequencerRecord(server_id=server_id, node_name=f"p{server_id}", address="x:1")
        await self.put(self.keys.sequencer(PCHANNEL), record)

    def sequencers(
        self,
        server_id: int,
        *,
        log: Any = None,
        crash: CrashPoints | None = None,
        **changes: Any,
    ) -> Sequencers:
        """A process with sequencers, running."""
        around = self.process(
            SequencerSettings(**changes),
            f"p{server_id}",
            log=log or self.log.client(),
            crash=crash or NoCrashPoints(),
        )
        sequencers = Sequencers(
            around,
            server_id=lambda: server_id,
            address=lambda: f"127.0.0.1:{9000 + server_id}",
            master_address=lambda: MASTER,
        )
        self.tasks.append(asyncio.create_task(sequencers.run()))
        return sequencers

    async def opened(self, server_id: int, **changes: Any) -> Sequencers:
        """A assigned process that sequences."""
        sequencers = self.sequencers(server_id, **changes)
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
        for task in self.tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self.tasks, return_exceptions=True):
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
