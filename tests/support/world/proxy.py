"""What surrounds a front door in its tests: fakes of the services and of its own sequencers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message_factory import GetMessageClass

from headrace.meta.api import Delete, Put
from headrace.meta.records import (
    CollectionRecord,
    CollectionState,
    Role,
    SequencerRecord,
)
from headrace.model.channel import pchannel_name, pchannel_of
from headrace.model.codec import encode
from headrace.model.errors import Unavailable
from headrace.proxy.assembly import Assembly
from headrace.proxy.call import ClientCall
from headrace.proxy.milvus import SERVICE, Message, common_pb, pb, schema_pb
from headrace.proxy.settings import ProxySettings, ProxySurroundings
from headrace.rpc import messages as m
from headrace.runtime.host import Host
from headrace.runtime.supervise import TaskGroup
from support.world.clock import manual_host, settle
from support.world.edges import Edges
from support.world.fakes.dataservice import FakeDataService
from support.world.fakes.masterservice import FakeMasterService
from support.world.fakes.sequencer import FakeSequencers

T = TypeVar("T")
MASTER = "master:1"
DATA = "data:1"
PROXY = "proxy:1"
PCHANNELS = tuple(pchannel_name("headrace-dml", n) for n in range(4))
SERVER_ID = 7


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


class ProxyWorld(Edges):
    """One front door and what it needs. Use as `async with`."""

    def __init__(
        self,
        settings: ProxySettings | None = None,
        clock: Any = None,
        host: Host | None = None,
        offload: Any = None,
    ) -> None:
        super().__init__(clock=clock)
        self.trouble = StoreInTrouble(self.store.client("proxy, in trouble"))
        self.master_service = FakeMasterService(self, PCHANNELS)
        self.sequencer = FakeSequencers(self, SERVER_ID, timestamp=self.master_service.timestamp)
        self.data_service = FakeDataService(self)
        self.orders = self.data_service.orders = self.master_service.orders
        self.master_service.changed = self._changed
        self.data_service.segments = self._segments
        host = host or manual_host(self.clock)
        if offload is not None:
            host = replace(host, offload=offload)
        self.around: ProxySurroundings = self.process(
            settings or ProxySettings(), "proxy-1", host=host, meta=self.trouble, validate=False
        )
        self.assembly = Assembly(self.around, self.sequencer)
        self.assembly.sequencing.server_id = SERVER_ID

    async def __aenter__(self) -> "ProxyWorld":
        record = SequencerRecord(server_id=SERVER_ID, node_name="proxy-1", address=PROXY)
        for pchannel in PCHANNELS:
            self.write(self.keys.sequencer(pchannel), record)
        handlers = self.master_service.handlers()
        self.master = await self.serve(Role.MASTER_SERVICE, handlers, MASTER)
        self.data = await self.serve(Role.DATA_SERVICE, self.data_service.handlers(), DATA)
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
        self.trouble.late = True

    # ---- what stands -------------------------------------------------------------------------

    def collections(self) -> list[CollectionRecord]:
        """Every record, whatever its state."""
        return list(self.records(self.keys.collections_prefix, CollectionRecord).values())

    def collection(self, collection_id: int) -> CollectionRecord:
        """One record."""
        return next(r for r in self.collections() if r.id == collection_id)

    # ---- behind the front door ---------------------------------------------------------------

    async def put(self, record: CollectionRecord, *more: Put | Delete) -> None:
        """Write a collection's record."""
        await self.meta.txn([], [Put(self.keys.collection(record.id), encode(record)), *more])

    async def change(self, record: CollectionRecord, *more: Put | Delete, **changes: Any) -> None:
        """A DDL: the next version with these changes, known to the sequencers at once."""
        version = record.version + 1
        after = replace(record, version=version, noted=version, **changes)
        self._changed(after)
        await self.put(after, *more)

    def _changed(self, record: CollectionRecord) -> None:
        self.sequencer.present[record.id] = record.version

    def _segments(self, collection_id: int) -> list[m.SegmentInfo]:
        """Every part with rows is a flushed segment."""
        return [
            m.SegmentInfo(
                segment_id=number,
                collection_id=part.collection_id,
                partition_id=part.partition_id,
                vchannel=part.vchannel,
                rows=part.rows,
                state="flushed",
                size_bytes=part.row_bytes,
                node_id=1,
            )
            for number, part in enumerate(self.sequencer.stored.values(), 1)
            if part.rows and collection_id in (0, part.collection_id)
        ]


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
