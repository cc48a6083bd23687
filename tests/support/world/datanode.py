"""A cluster around one data node, in memory: a log with real rows, a fake data service."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pyarrow as pa

from headrace.binlog import body, delta_log, insert_log
from headrace.datanode.service import DataNode
from headrace.datanode.settings import DataNodeSettings
from headrace.log.memory import MemoryLogServer
from headrace.meta.records import Role, SessionRecord
from headrace.model import codec, group
from headrace.model.channel import Position
from headrace.model.entry import Ddl, DdlKind, Entry, Rows, Seal, SegmentRows, TermStart, Tick
from headrace.objects.memory import MemoryObjects, StoreFaultHook
from headrace.rpc.messages import (
    ChannelState,
    NodeStateRequest,
    NodeStateResponse,
    Watch,
    WatchDmChannelsRequest,
    WatchedSchema,
)
from support.values.rows import SMALL, small_batch
from support.world.edges import Edges, Line
from support.world.fakes.dataservice import FakeDataService

PCHANNEL, COLLECTION, PARTITION = "p-0", 7, 70
VCHANNEL = f"{PCHANNEL}_{COLLECTION}v0"
START = Position(PCHANNEL, 0, 0)
NODE = "data-node-1"


class LogWriter:
    """Appends groups of real rows; entry i of message n has timestamp 1000 n + i."""

    def __init__(self, server: MemoryLogServer, pchannel: str = PCHANNEL) -> None:
        self._server = server
        self._pchannel = pchannel
        self._term, self._number = 0, 0
        self._next_row_id = 1
        self.rows: dict[int, dict[str, Any]] = {}  # by row id, as they were written
        server.ensure(pchannel)

    @property
    def last(self) -> int:
        """Id of the last message."""
        return self._server.last(self._pchannel)

    def append(self, *makers: Callable[[int], Entry]) -> int:
        """One message; each maker is given its timestamp."""
        message_id = self.last + 1
        entries = tuple(make(1000 * message_id + i) for i, make in enumerate(makers, 1))
        if isinstance(entries[0], TermStart):
            self._term, self._number = message_id, 0
            written = group.Group(0, 0, entries)
        else:
            self._number += 1
            written = group.Group(self._term, self._number, entries)
        self._server.append(self._pchannel, b"".join(group.encode(written)), self.last)
        return message_id

    def term(self) -> int:
        """A TermStart."""
        return self.append(lambda t: TermStart(t, 99))

    def tick(self) -> int:
        """A tick."""
        return self.append(Tick)

    def seal(self, segment_id: int, vchannel: str = VCHANNEL) -> int:
        """A Seal."""
        return self.append(lambda t: Seal(vchannel, t, segment_id))

    def drop(self, vchannel: str = VCHANNEL) -> int:
        """The collection's drop."""
        text = codec.encode(SMALL)
        return self.append(lambda t: Ddl(vchannel, t, COLLECTION, 2, DdlKind.DROP, text))

    def insert(
        self,
        segment_id: int,
        ids: Sequence[int],
        *,
        opens: bool = False,
        deletes: Sequence[int] = (),
        vchannel: str = VCHANNEL,
    ) -> int:
        """Rows with these keys in one segment, and perhaps deletes."""
        return self.append(lambda t: self.rows_entry(t, segment_id, ids, opens, deletes, vchannel))

    def rows_entry(
        self,
        timestamp: int,
        segment_id: int,
        ids: Sequence[int],
        opens: bool = False,
        deletes: Sequence[int] = (),
        vchannel: str = VCHANNEL,
    ) -> Rows:
        """One entry with rows of `SMALL`."""
        batch = small_batch(list(ids), seed=timestamp)
        first, self._next_row_id = self._next_row_id, self._next_row_id + len(ids)
        for row_id, row in enumerate(batch.to_pylist(), first):
            self.rows[row_id] = {**row, "_row_id": row_id, "_timestamp": timestamp}
        ranges = (SegmentRows(segment_id, 0, len(ids), opens),) if ids else ()
        return Rows(
            vchannel=vchannel,
            timestamp=timestamp,
            collection_id=COLLECTION,
            partition_id=PARTITION,
            version=1,
            part_id=timestamp.to_bytes(16, "big"),
            fingerprint=b"",
            first_sent=0,
            keyed=False,
            rows=len(ids),
            first_row_id=first,
            segments=ranges,
            body=body.encode_rows(batch) if ids else b"",
            deletes=len(deletes),
            delete_body=body.encode_keys(pa.array(deletes, pa.int64())) if deletes else b"",
        )


class World(Edges):
    """The edges, and what runs on them. `network.kill` and the like are the test's to use."""

    def __init__(self, faults: StoreFaultHook | None = None) -> None:
        super().__init__()
        self.line = Line()
        self.writer = LogWriter(self.log)
        self.objects = MemoryObjects(self.bucket, faults)
        self.service = FakeDataService(self)

    async def lead(self) -> None:
        """A data service and a master service lead."""
        await self.serve(Role.DATA_SERVICE, self.service.handlers())
        await self.serve(Role.MASTER_SERVICE, {})

    async def start(
        self, settings: DataNodeSettings | None = None, *, node_name: str = NODE, **others: Any
    ) -> DataNode:
        """A data node that runs; wait for what is wanted of it with `until`."""
        settings = settings or DataNodeSettings()
        node = DataNode(self.process(settings, node_name, hook=self.line, **others))
        self.tasks.append(asyncio.create_task(node.run()))
        await self.clock.sleep(0.01)
        return node

    def session(self, node_name: str = NODE) -> SessionRecord | None:
        """The node's session, as the meta store has it."""
        return self.read(self.keys.session(Role.DATA_NODE, node_name), SessionRecord)

    async def call(self, request: Any) -> Any:
        """Ask the node, as the data service would."""
        session = self.session()
        assert session is not None
        return await self.network.peers("data-service").call(session.address, request, timeout_s=5)

    async def watch(self, *watches: Watch) -> None:
        """Assign vchannels."""
        session = self.session()
        assert session is not None
        for watch in watches:
            self.service.meta.adopt(watch, session.server_id)
        await self.call(WatchDmChannelsRequest(session.server_id, watches))

    async def states(self) -> dict[str, ChannelState]:
        """What the node watches, by vchannel."""
        session = self.session()
        assert session is not None
        answer: NodeStateResponse = await self.call(NodeStateRequest(session.server_id))
        return {s.vchannel: s for s in answer.channels}

    def stored_rows(self) -> list[dict[str, Any]]:
        """The rows of all files that were reported, in order of their ids."""
        files = [f for r in self.service.reports for s in r.segments for f in s.files]
        rows = [row for f in files for row in insert_log.read(self.bucket.get(f.key)).to_pylist()]
        return sorted(rows, key=lambda row: row["_row_id"])

    def stored_deletes(self) -> list[tuple[int, int]]:
        """(key, timestamp) of all deletes that were reported, in order."""
        files = [f for r in self.service.reports if r.deletes for f in r.deletes.files]
        tables = [delta_log.read(self.bucket.get(f.key)) for f in files]
        return [(row["key"], row["_timestamp"]) for t in tables for row in t.to_pylist()]


def watch_of(
    vchannel: str = VCHANNEL, epoch: int = 1, seek: Position = START, **more: Any
) -> Watch:
    """A watch of a vchannel of which meta knows nothing but its schema."""
    values: dict[str, Any] = {
        "vchannel": vchannel,
        "epoch": epoch,
        "collection_id": COLLECTION,
        "seek": seek,
        "deletes_checkpoint": None,
        "schemas": (WatchedSchema(version=1, schema=SMALL),),
        "segments": (),
    }
    return Watch(**{**values, **more})


def play(
    scene: Callable[[World], Awaitable[None]],
    settings: DataNodeSettings | None = None,
    faults: StoreFaultHook | None = None,
) -> None:
    """Run a scene with one HEALTHY data node, on time that passes when all wait."""

    async def whole() -> None:
        world = World(faults)

        async def inside() -> None:
            await world.lead()
            node = await world.start(settings)
            await world.until(lambda: node.healthy)
            await scene(world)
            await world.end()

        await world.clock.run(inside())

    asyncio.run(whole())
