"""Clients: what ordinary users of the front door do, and what they are told.

Requests go through the production front door of a simulated proxy, from the parsed message on; the
way there may lose either direction. Retries carry an idempotency key.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from headrace.meta.records import Role
from headrace.proxy.call import ClientCall
from headrace.proxy.errors import Aborted, Transport
from headrace.proxy.milvus import SERVICE, Message, common_pb, pb, schema_pb
from headrace.proxy.service import Proxy
from headrace.sim.cluster import Cluster, Process
from headrace.sim.history import History, WriteOutcome, WriteRecord
from headrace.sim.host import VirtualClock

DIM = 2
CALL_S = 10.0  # a client's deadline
ANSWER_S = 15.0  # after that a client believes its connection dead
GIVE_UP_S = 60.0
FLUSH_S = 90.0
PARTITION_SHARE = 0.2  # of operations, where partitions come and go


class Lost(Exception):
    """The connection broke: the client knows nothing of the outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPlan:
    """How much clients do. Pauses are drawn from 0 to twice `pause_s`."""

    clients: int = 6
    collections: int = 2
    shards: int = 2
    pause_s: float = 0.15
    rows_max: int = 12
    keys: int = 400  # of a collection: small enough that upserts and deletes meet rows
    keyed_chance: float = 0.7
    ddl_share: float = 0.08  # of operations; renames and drops
    partitions: int = 0  # that come and go beside the default one


class Workload:
    """The clients of one run."""

    def __init__(self, cluster: Cluster, plan: WorkloadPlan, history: History) -> None:
        self._cluster = cluster
        self._plan = plan
        self._random = cluster.chance
        self.history = history
        self._ids: dict[str, int] = {}  # name -> collection id, as last described
        self._next_key = 1
        self._generation = 0
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    # ---- the way to a proxy --------------------------------------------------------------------

    async def call(self, method: str, request: Message, key: str = "") -> Message:
        """One call through some running proxy; `Aborted`, or `Lost` when nothing came back."""
        cluster = self._cluster
        proxies = [p for p in cluster.of(Role.PROXY) if p.instance is not None]
        if not proxies:
            await asyncio.sleep(0.5)
            raise Lost("no proxy runs")
        process = self._random.choice(proxies)
        await cluster.weather.way()
        if cluster.weather.happens(cluster.weather.chances.rpc_lost_request):
            raise Lost("the request was lost")
        headers = {"idempotency-key": key} if key else {}
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await cluster.inside(
                    process, lambda: _answer(process, method, request, headers)
                )
        except TimeoutError:
            raise Lost("no answer came") from None
        await cluster.weather.way()
        if cluster.weather.happens(cluster.weather.chances.rpc_lost_answer):
            raise Lost("the answer was lost")
        return answer

    async def _tried(self, method: str, request: Message) -> Message | None:
        """The answer, None where the client knows nothing of the outcome."""
        with contextlib.suppress(Lost, Aborted):
            return await self.call(method, request)
        return None

    # ---- a client ------------------------------------------------------------------------------

    async def client(self, number: int) -> None:
        """Do one thing after the other until stopped."""
        chance = self._random
        while not self._stopped:
            await asyncio.sleep(chance.uniform(0, 2 * self._plan.pause_s))
            name = f"c{chance.randrange(self._plan.collections)}"
            if name not in self._ids:
                await self._create(name)
                continue
            if chance.random() < self._plan.ddl_share:
                await (self._drop(name) if chance.random() < 0.3 else self._rename(name))
                continue
            if self._plan.partitions and chance.random() < PARTITION_SHARE:
                await self._change_partitions(name)
                continue
            act = chance.random()
            if act < 0.72:
                await self._write(name, "insert")
            elif act < 0.83:
                await self._write(name, "upsert")
            elif act < 0.94:
                await self._write(name, "delete")
            else:
                await self.flush(name)

    async def _create(self, name: str) -> None:
        request = pb.CreateCollectionRequest(
            collection_name=name,
            schema=_schema(name).SerializeToString(),
            shards_num=self._plan.shards,
        )
        if await self._tried("CreateCollection", request) is None:
            return
        if collection_id := await self._described(name):
            self._ids[name] = collection_id

    async def _drop(self, name: str) -> None:
        self._ids.pop(name, None)
        await self._tried("DropCollection", pb.DropCollectionRequest(collection_name=name))

    async def _rename(self, name: str) -> None:
        """To another name and back: two DDL, each of which raises the version."""
        self._generation += 1
        other = f"x{self._generation}"
        collection_id = self._ids.pop(name, 0)
        for old, new in ((name, other), (other, name)):
            request = pb.RenameCollectionRequest(oldName=old, newName=new)
            answer = await self._tried("RenameCollection", request)
            if answer is None or answer.code:
                return
        self._ids.setdefault(name, collection_id)

    async def _change_partitions(self, name: str) -> None:
        """Create or drop one: more often the first, so that some are there."""
        drop = self._random.random() < 0.3
        method = "DropPartition" if drop else "CreatePartition"
        kind = pb.DropPartitionRequest if drop else pb.CreatePartitionRequest
        request = kind(collection_name=name, partition_name=self._partition() or "p0")
        await self._tried(method, request)  # whether it was done shows in the log

    def _partition(self) -> str:
        """One of those that may be there; "" is the default one, and for a delete all of them."""
        if not self._plan.partitions:
            return ""
        number = self._random.randrange(self._plan.partitions + 1)
        return f"p{number - 1}" if number else ""

    async def _write(self, name: str, kind: str) -> None:
        chance = self._random
        count = chance.randint(1, self._plan.rows_max)
        if kind == "insert":
            keys = tuple(range(self._next_key, self._next_key + count))
            self._next_key += count
        else:
            top = max(2, self._next_key)
            keys = tuple(sorted({chance.randrange(1, top) for _ in range(count)}))
        number = len(self.history.writes)
        write = WriteRecord(number, kind, keys, number, self._partition())
        self.history.writes.append(write)
        keyed = chance.random() < self._plan.keyed_chance
        await self._send(name, write, f"op-{write.number}" if keyed else "")

    async def _send(self, name: str, write: WriteRecord, key: str) -> None:
        """Keyed writes are repeated until their outcome is known; others are sent once."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + GIVE_UP_S
        method, request = _request(name, write)
        sure = True  # nothing of it can stand so far
        while True:
            write.attempts += 1
            try:
                answer = await self.call(method, request, key)
            except Aborted as error:
                if error.transport is not Transport.UNAVAILABLE:
                    sure = False
            except Lost:
                sure = False
            else:
                if answer.status.code == 0:
                    write.outcome = WriteOutcome.ACKNOWLEDGED
                    write.timestamp = answer.timestamp
                return  # else a Status: refused, for a reason that a repeat would meet again
            if not key or loop.time() > give_up:
                if sure:
                    write.outcome = WriteOutcome.NOTHING_STANDS
                return
            await asyncio.sleep(self._random.uniform(0.1, 1.0))

    async def flush(self, name: str, give_up_s: float = FLUSH_S) -> bool:
        """Flush and wait until it is done or refused (dropped meanwhile); whether it was, in
        time."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + give_up_s
        timestamp = 0
        collection_id = await self._described(name)
        while loop.time() < give_up:
            with contextlib.suppress(Lost, Aborted):  # asked again, for the same timestamp
                if not timestamp:
                    answer = await self.call("Flush", pb.FlushRequest(collection_names=[name]))
                    if answer.status.code:
                        return True
                    timestamp = answer.coll_flush_ts[name]
                request = pb.GetFlushStateRequest(collection_name=name, flush_ts=timestamp)
                state = await self.call("GetFlushState", request)
                if state.status.code:
                    return True
                if state.flushed:
                    if collection_id and collection_id == await self._described(name):
                        self.history.flushes.append((collection_id, timestamp))
                    return True
            await asyncio.sleep(0.3)
        return False

    async def _described(self, name: str) -> int:
        """The id behind a name just now, 0 when there is none or nobody says."""
        request = pb.DescribeCollectionRequest(collection_name=name)
        answer = await self._tried("DescribeCollection", request)
        return 0 if answer is None or answer.status.code else int(answer.collectionID)

    @property
    def names(self) -> list[str]:
        return sorted(self._ids)


async def _answer(process: Process, method: str, request: Message, headers: dict[str, str]) -> Any:
    instance = process.instance
    assert isinstance(instance, Proxy)
    clock = VirtualClock()
    data = request.SerializeToString()
    call = ClientCall(
        method=method,
        clock=clock,
        deadline=clock.monotonic() + CALL_S,
        headers=headers,
        request=data,
    )
    answer = await instance.methods.answer(data, call)
    output = SERVICE.methods_by_name[method].output_type
    return GetMessageClass(output).FromString(answer)


def _schema(name: str) -> Message:
    key = schema_pb.FieldSchema(name="id", data_type=schema_pb.Int64, is_primary_key=True)
    value = schema_pb.FieldSchema(name="value", data_type=schema_pb.Int64)
    vector = schema_pb.FieldSchema(
        name="vector",
        data_type=schema_pb.FloatVector,
        type_params=[common_pb.KeyValuePair(key="dim", value=str(DIM))],
    )
    return schema_pb.CollectionSchema(name=name, fields=[key, value, vector])


def _request(name: str, write: WriteRecord) -> tuple[str, Message]:
    if write.kind == "delete":
        keys = ", ".join(map(str, write.keys))
        return "Delete", pb.DeleteRequest(
            collection_name=name, partition_name=write.partition, expr=f"id in [{keys}]"
        )
    count = len(write.keys)
    kind, method = (
        (pb.InsertRequest, "Insert") if write.kind == "insert" else (pb.UpsertRequest, "Upsert")
    )
    columns = [
        _longs("id", list(write.keys)),
        _longs("value", [write.value] * count),
        schema_pb.FieldData(
            field_name="vector",
            type=schema_pb.FloatVector,
            vectors=schema_pb.VectorField(
                dim=DIM,
                float_vector=schema_pb.FloatArray(
                    data=[float(k % 97) for k in write.keys for _ in range(DIM)]
                ),
            ),
        ),
    ]
    return method, kind(
        collection_name=name, partition_name=write.partition, num_rows=count, fields_data=columns
    )


def _longs(name: str, values: list[int]) -> Message:
    data = schema_pb.LongArray(data=values)
    scalars = schema_pb.ScalarField(long_data=data)
    return schema_pb.FieldData(field_name=name, type=schema_pb.Int64, scalars=scalars)
