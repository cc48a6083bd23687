"""Insert, Upsert and Delete: check, plan, send, and answer when every part stands in the log.

The collection may change while some parts stand and others were refused as stale. The rest is then
checked, planned and encoded by the version in force under the same ids, in the same collection as
long as it lives, whatever it is called by now. Only a request of which nothing can stand looks the
name up again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import pyarrow as pa

from headrace.binlog.body import decode_keys
from headrace.meta.records import CollectionRecord
from headrace.model.errors import Invalid, NotFound, Unavailable
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import Catalog
from headrace.proxy.cluster.known_time import KnownTime
from headrace.proxy.cluster.sequencers import Sequencing
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message, pb
from headrace.proxy.settings import ProxySurroundings
from headrace.proxy.write.automatic_keys import AllAutomaticKeys
from headrace.proxy.write.cut import WritePart
from headrace.proxy.write.expressions import keys_of
from headrace.proxy.write.identity import RequestIdentity, identify
from headrace.proxy.write.plan import WritePlan, plan_write
from headrace.proxy.write.rows_check import CheckedRows, check_rows
from headrace.proxy.write.sending import PartSender
from headrace.rpc.messages import AppendRequest, AppendResponse
from headrace.runtime.retry import Backoff

OFFLOAD_PARTS = 100  # of a partition key's many partitions: each costs 0.1 ms and more to encode


class WriteKind(StrEnum):
    """What a write does, by the name of its method."""

    INSERT = "Insert"
    UPSERT = "Upsert"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class WriteContext:
    """What all writes use."""

    around: ProxySurroundings
    catalog: Catalog
    sequencing: Sequencing
    known: KnownTime
    automatic: AllAutomaticKeys


class Writes:
    """The three methods that write rows. Each is answered when all its rows stand in the log."""

    def __init__(self, context: WriteContext) -> None:
        self._context = context
        self._rows = context.around.telemetry.counter(
            "proxy_rows_total", "Rows and keys of deletes acknowledged to clients", ("method",)
        )

    async def insert(self, request: Message, call: ClientCall) -> Message:
        """Milvus's Insert."""
        return await self._write(WriteKind.INSERT, request, call)

    async def upsert(self, request: Message, call: ClientCall) -> Message:
        """Milvus's Upsert: of a key that the request repeats, the last row wins, and only that one
        is counted and answered."""
        return await self._write(WriteKind.UPSERT, request, call)

    async def delete(self, request: Message, call: ClientCall) -> Message:
        """Milvus's Delete, by key only; keys that no row has are counted, too."""
        return await self._write(WriteKind.DELETE, request, call)

    async def _write(self, kind: WriteKind, request: Message, call: ClientCall) -> Message:
        identity = await identify(call, self._context.known, self._context.around.host)
        write = ClientWrite(self._context, kind, request, call, identity)
        plan = await write.run()
        self._rows.labels(kind.value).inc(len(plan.keys))
        return write.answer(plan)


class ClientWrite:
    """One write on its way from a client's message to parts that stand in the log."""

    def __init__(
        self,
        context: WriteContext,
        kind: WriteKind,
        request: Message,
        call: ClientCall,
        identity: RequestIdentity,
    ) -> None:
        self._catalog = context.catalog
        self._known = context.known
        self._automatic = context.automatic
        self._host = context.around.host
        self._settings = context.around.settings
        self._kind = kind
        self._request = request
        self._call = call
        self._identity = identity
        self._sender = PartSender(context.sequencing, self._host, self._settings, call)
        self._done: dict[int, AppendResponse] = {}  # by number of the part

    async def run(self) -> WritePlan:
        """Plan and append until every part has its result; the plan by which the last stands."""
        plan = await self._first_plan()
        backoff = Backoff(self._host, self._settings.pauses)
        while True:
            await self._send(plan)
            if len(self._done) == len(plan.parts):
                return plan
            record = await self._read_anew(plan)
            if record.id != plan.record.id:
                self._done.clear()
            elif record.version == plan.record.version:
                await self._sender.pause(backoff)
                continue
            plan = await self._plan(record, plan)

    async def _first_plan(self) -> WritePlan:
        """By the copy of the catalog; what that refuses is tried once more by the store."""
        name = self._request.collection_name
        record = await self._catalog.find(name)
        try:
            return await self._plan(record, None)
        except Invalid:
            newer = await self._catalog.read(name)
            if (newer.id, newer.version) == (record.id, record.version):
                raise
            return await self._plan(newer, None)

    # ---- check -------------------------------------------------------------------------------

    async def _check(self, record: CollectionRecord) -> CheckedRows:
        if self._is_large():
            return await self._host.offload.run(partial(self._checked, record))
        return self._checked(record)

    def _checked(self, record: CollectionRecord) -> CheckedRows:
        request, schema = self._request, record.schema
        if self._kind is WriteKind.DELETE:
            keys = keys_of(request.expr, request.expr_template_values, schema)
            return CheckedRows(schema, len(keys), (), (), keys, replaces=True)
        if request.schema_timestamp not in (0, record.created):
            raise Refusal.SCHEMA_MISMATCH(at="schema_timestamp", name=record.name)
        return check_rows(schema, request, upsert=self._kind is WriteKind.UPSERT)

    def _is_large(self) -> bool:
        """Whether work that grows with the request would hold up the loop, on which sequencers and
        sessions live, so that it must go to a thread."""
        return len(self._call.request) > self._settings.offload_bytes

    # ---- plan --------------------------------------------------------------------------------

    async def _plan(self, record: CollectionRecord, old: WritePlan | None) -> WritePlan:
        rows = await self._check(record)
        return await plan_write(
            record,
            self._request.partition_name,
            rows,
            identity=self._identity,
            automatic=self._automatic,
            made=old.keys if old is not None and old.record.id == record.id else None,
            entry_bytes_max=self._settings.entry_bytes_max,
        )

    async def _read_anew(self, plan: WritePlan) -> CollectionRecord:
        """The collection as the store has it now: by id while anything of the request may stand."""
        backoff, name = Backoff(self._host, self._settings.pauses), self._request.collection_name
        while True:
            try:
                if self._sender.possible:
                    return await self._catalog.read_id(plan.record.id)
                return await self._catalog.read(name)
            except NotFound:
                if self._sender.possible:
                    raise Refusal.COLLECTION_DROPPED(name=name) from None
                raise
            except Unavailable as error:
                self._sender.reason = error.message
                await self._sender.pause(backoff)

    # ---- send --------------------------------------------------------------------------------

    async def _send(self, plan: WritePlan) -> None:
        """Append the parts that do not stand yet; stale ones stay without a result."""
        parts = [part for part in plan.parts if part.number not in self._done]
        requests = await self._encode(plan, parts)
        responses = await self._sender.send(requests)
        if any(r.outcome == "unknown" for r in responses):
            raise Refusal.OUTCOME_UNKNOWN()
        for part, response in zip(parts, responses, strict=True):
            if response.outcome == "done":
                self._known.learn(response.timestamp)
                self._done[part.number] = response

    async def _encode(self, plan: WritePlan, parts: Sequence[WritePart]) -> list[AppendRequest]:
        if self._is_large() or len(parts) > OFFLOAD_PARTS:
            return await self._host.offload.run(partial(self._encoded, plan, parts))
        return self._encoded(plan, parts)

    def _encoded(self, plan: WritePlan, parts: Sequence[WritePart]) -> list[AppendRequest]:
        most = self._settings.entry_bytes_max
        return [plan.append_request(part, self._identity, most) for part in parts]

    # ---- answer ------------------------------------------------------------------------------

    def answer(self, plan: WritePlan) -> Message:
        """What the client is told once every part stands."""
        responses = [self._done[part.number] for part in plan.parts]
        answer = pb.MutationResult(acknowledged=True)
        answer.timestamp = max(r.timestamp for r in responses)
        if self._kind is WriteKind.DELETE:
            answer.delete_cnt = len(plan.keys)
            return answer
        keys = _stored_keys(plan, responses)
        if plan.kept is not None:
            keys = keys.take(pa.array(plan.kept))
        if pa.types.is_int64(keys.type):
            answer.IDs.int_id.data.extend(keys.to_numpy())
        else:
            answer.IDs.str_id.data.extend(keys.to_pylist())
        answer.succ_index.extend(range(len(keys)))
        answer.insert_cnt = len(keys)
        if self._kind is WriteKind.UPSERT:
            answer.upsert_cnt = answer.delete_cnt = len(keys)
        return answer


def _stored_keys(plan: WritePlan, responses: Sequence[AppendResponse]) -> pa.Array:
    """The keys as they stand, in the order of the request's rows.

    A part that already stood may have been given other automatic keys than this plan was.
    """
    repeated = [
        (part, decode_keys(response.keys))
        for part, response in zip(plan.parts, responses, strict=True)
        if response.repeated and len(response.keys)
    ]
    if not repeated:
        return plan.keys
    if all(part.places is None for part, _ in repeated):
        return repeated[0][1]
    keys = plan.keys.to_numpy(zero_copy_only=False).copy()
    for part, stored in repeated:
        keys[part.places] = stored.to_numpy(zero_copy_only=False)
    return pa.array(keys, plan.keys.type)
