"""What surrounds a front door in its tests: services and a sequencer that are plain and in memory.

**Owns** `ProxyWorld`: a meta store, a network, a master service and a data service that do at once
what they are asked, a sequencer that keeps what it was given, and the front door's parts among
them. **Does not own** faults beyond those that a test sets here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from google.protobuf.message_factory import GetMessageClass

from headrace.binlog.body import decode_keys, decode_rows, encode_keys
from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.meta.api import Delete, Put
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import (
    CollectionRecord,
    CollectionState,
    LeaderRecord,
    PartitionRecord,
    Role,
    SequencerRecord,
)
from headrace.model.channel import Position, pchannel_name, pchannel_of, vchannel_name
from headrace.model.codec import decode, encode
from headrace.model.errors import HeadraceError, Unavailable
from headrace.model.ids import DEFAULT_PARTITION
from headrace.model.refusals import Refusal
from headrace.model.timestamp import compose
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.proxy.assembly import Assembly
from headrace.proxy.call import ClientCall
from headrace.proxy.milvus import SERVICE, Message, common_pb, pb, schema_pb
from headrace.proxy.settings import ProxySettings, ProxySurroundings
from headrace.rpc import messages as m
from headrace.rpc.memory import MemoryNetwork
from headrace.runtime.host import Host
from headrace.runtime.supervise import TaskGroup
from headrace.runtime.telemetry import silent
from support.world.clock import ManualClock, manual_host, settle

T = TypeVar("T")
MASTER = "master:1"
DATA = "data:1"
PROXY = "proxy:1"
PCHANNELS = tuple(pchannel_name("headrace-dml", n) for n in range(4))
SERVER_ID = 7


class PlainSequencer:
    """Keeps every part under its id; `outcomes` are what it says instead, first come first."""

    def __init__(self, world: "ProxyWorld") -> None:
        self._world = world
        self.stored: dict[bytes, m.AppendRequest] = {}
        self.asked: list[m.AppendRequest] = []
        self.seals: list[m.SealRequest] = []
        self.outcomes: list[m.AppendResponse | HeadraceError] = []
        self.timestamps: dict[bytes, int] = {}
        self.present: dict[int, int] = {}  # versions that DDL entries have brought

    async def append(self, request: m.AppendRequest) -> m.AppendResponse:
        self.asked.append(request)
        await asyncio.sleep(0)
        if self.outcomes:
            outcome = self.outcomes.pop(0)
            if isinstance(outcome, HeadraceError):
                raise outcome
            return outcome
        first = self.stored.get(request.part_id)
        if first is not None:
            if first.fingerprint != request.fingerprint:
                raise Refusal.KEY_REUSED(at="idempotency-key")
            keys = b""
            if first.rows:
                schema = self._world.collection(first.collection_id).schema
                keys = encode_keys(decode_rows(first.body).column(schema.key.name))
            return self._done(first, repeated=True, keys=keys)
        version = self.present.get(request.collection_id, request.version)
        if version > request.version:
            return m.AppendResponse(outcome="stale", version=version)
        self.stored[request.part_id] = request
        self.timestamps[request.part_id] = self._world.timestamp()
        return self._done(request)

    def _done(
        self, request: m.AppendRequest, *, repeated: bool = False, keys: Any = b""
    ) -> m.AppendResponse:
        return m.AppendResponse(
            outcome="done",
            timestamp=self.timestamps[request.part_id],
            message_id=len(self.stored),
            rows=request.rows,
            deletes=request.deletes,
            repeated=repeated,
            keys=keys,
        )

    async def seal(self, request: m.SealRequest) -> m.SealResponse:
        self.seals.append(request)
        position = Position(request.pchannel, 1, request.above + 1)
        return m.SealResponse(position=position, segment_ids=(100 + len(self.seals),))

    def status(self) -> list[dict[str, Any]]:
        return []

    def handlers(self) -> Mapping[type, Any]:
        return {m.AppendRequest: self.append, m.SealRequest: self.seal}

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        return

    def rows(self, collection_id: int) -> list[dict[str, Any]]:
        """All rows stored for a collection, in the order in which they came."""
        return [
            row
            for part in self.stored.values()
            if part.collection_id == collection_id and part.rows
            for row in decode_rows(part.body).to_pylist()
        ]

    def deleted(self, collection_id: int) -> list[Any]:
        """All keys that deletes and upserts named."""
        return [
            key
            for part in self.stored.values()
            if part.collection_id == collection_id and part.deletes
            for key in decode_keys(part.delete_body).to_pylist()
        ]


class CountingOffload:
    """Does its work at once and counts it."""

    def __init__(self) -> None:
        self.calls = 0

    async def run(self, work: Callable[[], T]) -> T:
        self.calls += 1
        return work()


class StoreInTrouble:
    """A meta store that a test can hold back: `away`, reads fail; `late`, watches tell nothing."""

    def __init__(self, meta: Any) -> None:
        self._meta = meta
        self.away = False
        self.late = False
        self._on_time = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        if self.away and name in ("get", "range"):
            raise Unavailable("no store")
        return getattr(self._meta, name)

    async def watch(self, prefix: str, *, start: int) -> AsyncIterator[Any]:
        async for batch in self._meta.watch(prefix, start=start):
            if self.late:
                await self._on_time.wait()
            yield batch


@dataclass
class ProxyWorld:
    """One front door and what it needs. Use as `async with`."""

    settings: ProxySettings = field(default_factory=ProxySettings)
    clock: Any = field(default_factory=ManualClock)
    host: Host | None = None
    offload: Any = None

    def __post_init__(self) -> None:
        self.keys = Keys()
        self.meta_server = MemoryMetaServer(self.clock)
        self.meta = self.meta_server.client("proxy")
        self.network = MemoryNetwork(self.clock)
        self.sequencer = PlainSequencer(self)
        self.host = self.host or manual_host(self.clock)
        if self.offload is not None:
            self.host = replace(self.host, offload=self.offload)
        self.store = StoreInTrouble(self.meta_server.client("proxy, in trouble"))
        self.around: ProxySurroundings = Surroundings(
            settings=self.settings,
            host=self.host,
            telemetry=silent(),
            keys=self.keys,
            meta=self.store,  # type: ignore[arg-type]
            log=MemoryLogServer().client(),
            objects=MemoryObjects(MemoryBucket(self.clock)),
            peers=self.network.peers("proxy"),
            server=self.network.server(),
            node_name="proxy-1",
        )
        self.assembly = Assembly(self.around, self.sequencer)
        self.assembly.sequencing.server_id = SERVER_ID
        self.flushed = True
        self.orders: list[Any] = []
        self.next_id = 1000
        self._logical = 0

    async def __aenter__(self) -> "ProxyWorld":
        put: list[Put | Delete] = [
            Put(
                self.keys.leader(role),
                encode(LeaderRecord(server_id=1, node_name=role, address=address)),
            )
            for role, address in ((Role.MASTER_SERVICE, MASTER), (Role.DATA_SERVICE, DATA))
        ]
        record = SequencerRecord(server_id=SERVER_ID, node_name="proxy-1", address=PROXY)
        put += [Put(self.keys.sequencer(p), encode(record)) for p in PCHANNELS]
        await self.meta.txn([], put)
        self.master = self.network.server(MASTER)
        await self.master.start(
            {
                m.CreateCollectionRequest: self._create,
                m.DropCollectionRequest: self.drop,
                m.PartitionRequest: self._partition,
                m.RenameCollectionRequest: self.rename,
                m.SetClientStateRequest: self._keep_known,
                m.AllocTimestampRequest: self._timestamp,
                m.AllocIdsRequest: self._alloc_ids,
                m.SuspectRequest: self._suspect,
            }
        )
        self.data = self.network.server(DATA)
        await self.data.start(
            {m.SegmentsRequest: self._segments, m.FlushStateRequest: self._flush_state}
        )
        self._group = TaskGroup("proxy")
        await self._group.__aenter__()
        self.assembly.follow(self._group)
        await self.assembly.leaders.found()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._group.cancel()
        await self._group.__aexit__(None, None, None)

    # ---- a client ----------------------------------------------------------------------------

    async def call(
        self, method: str, request: Message, *, timeout_s: float = 60.0, **headers: str
    ) -> Message:
        """The answer of a method to a message, through bytes as on the wire."""
        data = request.SerializeToString()
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        call = ClientCall(
            method=method,
            clock=self.clock,
            deadline=self.clock.monotonic() + timeout_s,
            headers=named,
            request=data,
        )
        answer = await self.assembly.methods.answer(data, call)
        kind = GetMessageClass(SERVICE.methods_by_name[method].output_type)
        return kind.FromString(answer)

    async def create(
        self, name: str, schema: Message, shards: int = 1, partitions: int = 0
    ) -> CollectionRecord:
        """Create through the front door; the record."""
        request = pb.CreateCollectionRequest(
            collection_name=name,
            schema=schema.SerializeToString(),
            shards_num=shards,
            num_partitions=partitions,
        )
        status = await self.call("CreateCollection", request)
        assert status.code == 0, status
        there = CollectionState.CREATED
        return next(r for r in self.collections() if r.name == name and r.state is there)

    async def lag(self) -> None:
        """Let the front door's copies of the store stay as they are now."""
        await settle()
        self.store.late = True

    # ---- what stands -------------------------------------------------------------------------

    def collections(self) -> list[CollectionRecord]:
        """Every record, whatever its state."""
        found = self.meta_server.read(self.keys.collections_prefix, True, 0)
        return [decode(item.value, CollectionRecord) for item in found.items]

    def collection(self, collection_id: int) -> CollectionRecord:
        """One record."""
        return next(r for r in self.collections() if r.id == collection_id)

    def timestamp(self) -> int:
        """The next timestamp of the cluster."""
        self._logical += 1
        return compose(self.clock.wall_ms(), self._logical)

    # ---- the services ------------------------------------------------------------------------

    async def put(self, record: CollectionRecord, *more: Put | Delete) -> None:
        """Write a collection's record."""
        await self.meta.txn([], [Put(self.keys.collection(record.id), encode(record)), *more])

    async def _create(self, request: m.CreateCollectionRequest) -> m.CollectionResponse:
        self.orders.append(request)
        for record in self.collections():
            if record.name == request.name and record.state is CollectionState.CREATED:
                if record.schema != request.schema:
                    difference = "its schema is another"
                    raise Refusal.COLLECTION_DIFFERS(name=request.name, difference=difference)
                return m.CollectionResponse(record)
        first = self.next_id
        self.next_id += 10 + request.partitions
        created = self.timestamp()
        names = [f"{DEFAULT_PARTITION}_{n}" for n in range(request.partitions)]
        record = CollectionRecord(
            id=first,
            name=request.name,
            version=1,
            noted=1,
            state=CollectionState.CREATED,
            schema=request.schema,
            vchannels=tuple(
                vchannel_name(PCHANNELS[n % len(PCHANNELS)], first, n)
                for n in range(request.shards)
            ),
            partitions=tuple(
                PartitionRecord(id=first + 1 + n, name=partition, created=created)
                for n, partition in enumerate(names or [DEFAULT_PARTITION])
            ),
            created=created,
            consistency_level=request.consistency_level,
            properties=request.properties,
        )
        await self.put(record, Put(self.keys.name(record.name), str(record.id).encode()))
        return m.CollectionResponse(record)

    async def drop(self, request: m.DropCollectionRequest) -> m.Done:
        self.orders.append(request)
        for record in self.collections():
            if record.name == request.name and record.state is CollectionState.CREATED:
                await self.change(
                    record, Delete(self.keys.name(record.name)), state=CollectionState.DROPPED
                )
        return m.Done()

    async def rename(self, request: m.RenameCollectionRequest) -> m.Done:
        self.orders.append(request)
        for record in self.collections():
            if record.name == request.name and record.state is CollectionState.CREATED:
                await self.change(
                    record,
                    Delete(self.keys.name(record.name)),
                    Put(self.keys.name(request.new_name), str(record.id).encode()),
                    name=request.new_name,
                )
                return m.Done()
        raise Refusal.COLLECTION_NOT_FOUND(name=request.name)

    async def _partition(self, request: m.PartitionRequest) -> m.Done:
        self.orders.append(request)
        for record in self.collections():
            if record.name != request.collection or record.state is not CollectionState.CREATED:
                continue
            standing = [p for p in record.partitions if p.name == request.partition]
            living = [p for p in standing if not p.dropped]
            if request.drop == bool(living):
                self.next_id += 1
                made = PartitionRecord(
                    id=self.next_id, name=request.partition, created=self.timestamp()
                )
                kept = tuple(
                    replace(p, dropped=p.dropped or p in living) for p in record.partitions
                )
                added = () if request.drop else (made,)
                await self.change(record, partitions=(*kept, *added))
            return m.Done()
        raise Refusal.COLLECTION_NOT_FOUND(name=request.collection)

    async def change(self, record: CollectionRecord, *more: Put | Delete, **changes: Any) -> None:
        """A DDL: the next version with these changes, known to the sequencers at once."""
        version = record.version + 1
        self.sequencer.present[record.id] = version
        await self.put(replace(record, version=version, noted=version, **changes), *more)

    async def _keep_known(self, request: m.SetClientStateRequest) -> m.Done:
        self.orders.append(request)
        key = self.keys.client_state(request.collection_id, request.topic)
        await self.meta.txn([], [Put(key, request.value) if request.value else Delete(key)])
        return m.Done()

    async def _timestamp(self, request: m.AllocTimestampRequest) -> m.AllocTimestampResponse:
        return m.AllocTimestampResponse(self.timestamp())

    async def _alloc_ids(self, request: m.AllocIdsRequest) -> m.AllocIdsResponse:
        self.orders.append(request)
        first, self.next_id = self.next_id, self.next_id + request.count
        return m.AllocIdsResponse(first, request.count)

    async def _suspect(self, request: m.SuspectRequest) -> m.Done:
        self.orders.append(request)
        return m.Done()

    async def _segments(self, request: m.SegmentsRequest) -> m.SegmentsResponse:
        found = []
        for number, part in enumerate(self.sequencer.stored.values()):
            if part.rows and request.collection_id in (0, part.collection_id):
                found.append(
                    m.SegmentInfo(
                        segment_id=number + 1,
                        collection_id=part.collection_id,
                        partition_id=part.partition_id,
                        vchannel=part.vchannel,
                        rows=part.rows,
                        state="flushed",
                        size_bytes=part.row_bytes,
                        node_id=1,
                    )
                )
        return m.SegmentsResponse(tuple(found))

    async def _flush_state(self, request: m.FlushStateRequest) -> m.FlushStateResponse:
        self.orders.append(request)
        return m.FlushStateResponse(flushed=self.flushed)


def simple_schema(
    *,
    dim: int = 4,
    key: str = "Int64",
    auto: bool = False,
    dynamic: bool = False,
    fields: tuple[dict[str, Any], ...] = (),
) -> Message:
    """A CollectionSchema with key `id`, vector `v` and more fields as FieldSchema arguments."""
    schema = schema_pb.CollectionSchema(name="", enable_dynamic_field=dynamic)
    kind = schema_pb.DataType.Value
    item = schema.fields.add(name="id", data_type=kind(key), is_primary_key=True, autoID=auto)
    if key == "VarChar":
        item.type_params.add(key="max_length", value="64")
    item = schema.fields.add(name="v", data_type=kind("FloatVector"))
    item.type_params.add(key="dim", value=str(dim))
    for given in fields:
        values = dict(given)
        parameters = values.pop("parameters", {})
        values["data_type"] = kind(values["data_type"])
        item = schema.fields.add(**values)
        for name, value in parameters.items():
            item.type_params.add(key=name, value=str(value))
    return schema


def insert_request(
    name: str,
    keys: list[Any] | None,
    *,
    dim: int = 4,
    rows: int | None = None,
    upsert: bool = False,
) -> Message:
    """An Insert or Upsert of `id` and `v` whose vectors hold the row's number."""
    count = rows if rows is not None else len(keys or [])
    kind = pb.UpsertRequest if upsert else pb.InsertRequest
    request = kind(collection_name=name, num_rows=count)
    if keys is not None:
        texts = bool(keys) and isinstance(keys[0], str)
        item = request.fields_data.add(
            field_name="id", type=schema_pb.DataType.Value("VarChar" if texts else "Int64")
        )
        if texts:
            item.scalars.string_data.data.extend(keys)
        else:
            item.scalars.long_data.data.extend(keys)
    item = request.fields_data.add(field_name="v", type=schema_pb.DataType.Value("FloatVector"))
    item.vectors.dim = dim
    item.vectors.float_vector.data.extend([float(n) for n in range(count) for _ in range(dim)])
    return request


__all__ = [
    "ProxyWorld",
    "common_pb",
    "insert_request",
    "pb",
    "pchannel_of",
    "schema_pb",
    "simple_schema",
]
