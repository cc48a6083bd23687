"""Insert, Upsert and Delete: from a client's message to parts that stand in the log.

**Owns** the order of a write: refuse what is not served, check by the collection, cut, have the
parts appended, and begin anew (same ids, encoded anew) when the collection has changed meanwhile.
**Does not own** the steps themselves.

The collection may change while some parts stand and others were refused as stale. The rest is then
encoded by the version in force, in the same collection as long as it lives, whatever it is called
by now. Only a request of which nothing can stand looks the name up again.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pyarrow as pa

from headrace.binlog.body import decode_keys
from headrace.binlog.columns import key_type
from headrace.meta.records import CollectionRecord, Role
from headrace.model.errors import NotFound, Unavailable
from headrace.proxy.call import Call
from headrace.proxy.cluster.catalog import Catalog
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message, pb
from headrace.proxy.settings import ProxySettings
from headrace.proxy.write.automatic_keys import AutomaticKeys
from headrace.proxy.write.cut import PartRows
from headrace.proxy.write.expressions import keys_of
from headrace.proxy.write.identity import Identity, KnownTime, identify
from headrace.proxy.write.plan import (
    Plan,
    check_partition,
    plan_delete,
    plan_rows,
)
from headrace.proxy.write.rows_check import check_rows
from headrace.proxy.write.sending import Sender, Standing
from headrace.rpc.messages import AllocIdsRequest, AllocIdsResponse, AppendResponse
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff
from headrace.runtime.telemetry import Telemetry

ASIDE_PARTS = 100  # of a partition key's many partitions: each costs 0.1 ms and more to encode
T = TypeVar("T")
Planner = Callable[[CollectionRecord, Identity, Plan | None], Awaitable[Plan]]


class Writes:
    """The three methods that write rows."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        leaders: Leaders,
        sender: Sender,
        known: KnownTime,
        host: Host,
        settings: ProxySettings,
        telemetry: Telemetry,
    ) -> None:
        self._rows = telemetry.counter(
            "proxy_rows_total", "Rows and keys of deletes acknowledged to clients", ("method",)
        )
        self._catalog = catalog
        self._leaders = leaders
        self._sender = sender
        self._known = known
        self._host = host
        self._settings = settings
        self._automatic: dict[tuple[str, int], AutomaticKeys] = {}

    async def insert(self, request: Message, call: Call) -> Message:
        """Milvus's Insert: acknowledged when all rows stand in the log."""
        plan, answer = await self._write_rows(request, call, upsert=False)
        answer.insert_cnt = len(plan.keys)
        return answer

    async def upsert(self, request: Message, call: Call) -> Message:
        """Milvus's Upsert: of a key that the request repeats, the last row wins, and only that one
        is counted and answered."""
        _, answer = await self._write_rows(request, call, upsert=True)
        answer.upsert_cnt = answer.insert_cnt = answer.delete_cnt = len(answer.succ_index)
        return answer

    async def delete(self, request: Message, call: Call) -> Message:
        """Milvus's Delete, by key only; keys that no row has are counted, too."""

        async def planner(record: CollectionRecord, identity: Identity, old: Plan | None) -> Plan:
            values = request.expr_template_values
            keys = await self._aside(call, lambda: keys_of(request.expr, values, record.schema))
            return plan_delete(record, request.partition_name, keys, self._settings.entry_bytes_max)

        plan, responses = await self._write(request.collection_name, call, planner)
        answer = pb.MutationResult(delete_cnt=len(plan.keys), acknowledged=True)
        answer.timestamp = max(r.timestamp for r in responses)
        return answer

    async def _write_rows(
        self, request: Message, call: Call, *, upsert: bool
    ) -> tuple[Plan, Message]:
        async def planner(record: CollectionRecord, identity: Identity, old: Plan | None) -> Plan:
            if request.schema_timestamp not in (0, record.created):
                raise Refusal.SCHEMA_MISMATCH(at="schema_timestamp", name=record.name)
            check = partial(check_rows, record.schema, request, upsert=upsert)
            rows = await self._aside(call, check)
            check_partition(record, request.partition_name)
            return await plan_rows(
                record,
                request.partition_name,
                rows,
                upsert=upsert,
                identity=identity,
                automatic=self._automatic_keys(record, call),
                made=old.keys if old is not None and old.record.id == record.id else None,
                entry_bytes_max=self._settings.entry_bytes_max,
            )

        plan, responses = await self._write(request.collection_name, call, planner)
        answer = pb.MutationResult(acknowledged=True)
        answer.timestamp = max(r.timestamp for r in responses)
        keys = _stored_keys(plan, responses)
        if plan.kept is not None:
            keys = keys.take(pa.array(plan.kept))
        if pa.types.is_int64(keys.type):
            answer.IDs.int_id.data.extend(keys.to_numpy())
        else:
            answer.IDs.str_id.data.extend(keys.to_pylist())
        answer.succ_index.extend(range(len(keys)))
        return plan, answer

    async def _write(
        self, name: str, call: Call, planner: Planner
    ) -> tuple[Plan, list[AppendResponse]]:
        """Plan and append until every part has its result, in the order of the plan's parts."""
        identity = await identify(call, self._known, self._host)
        standing = self._sender.begin()
        done: dict[int, AppendResponse] = {}

        async def first(record: CollectionRecord) -> Plan:
            return await planner(record, identity, None)

        _, plan = await self._catalog.checked(name, first)
        backoff = Backoff(self._host, self._settings.pauses)
        while True:
            todo = [part for part in plan.parts if part.number not in done]
            done.update(await self._append(plan, todo, identity, call, standing))
            if len(done) == len(plan.parts):
                self._rows.labels(call.method).inc(len(plan.keys))
                return plan, [done[part.number] for part in plan.parts]
            record = await self._read_anew(name, plan, call, standing)
            if record.id != plan.record.id:
                done.clear()
            elif record.version == plan.record.version:
                await self._pause(backoff, call, standing)
                continue
            plan = await planner(record, identity, plan)

    async def _append(
        self,
        plan: Plan,
        parts: list[PartRows],
        identity: Identity,
        call: Call,
        standing: Standing,
    ) -> dict[int, AppendResponse]:
        """The parts that now stand, by number; stale ones are left out."""
        limit = self._settings.entry_bytes_max
        requests = await self._aside(
            call,
            lambda: [plan.append_request(part, identity, limit) for part in parts],
            large=len(parts) > ASIDE_PARTS,
        )
        responses = await self._sender.send(requests, call, standing)
        if any(r.outcome == "unknown" for r in responses):
            raise Refusal.OUTCOME_UNKNOWN()
        done = {}
        for part, response in zip(parts, responses, strict=True):
            if response.outcome == "done":
                self._known.learn(response.timestamp)
                done[part.number] = response
        return done

    async def _aside(self, call: Call, work: Callable[[], T], *, large: bool = False) -> T:
        """The result of work that grows with the request; a large one must not hold the loop, on
        which sequencers and sessions live."""
        if large or len(call.request) > self._settings.aside_bytes:
            return await self._host.offload.run(work)
        return work()

    async def _read_anew(
        self, name: str, plan: Plan, call: Call, standing: Standing
    ) -> CollectionRecord:
        """The collection as the store has it now: by id while anything of the request may stand."""
        backoff = Backoff(self._host, self._settings.pauses)
        while True:
            try:
                if not standing.possible:
                    return await self._catalog.read(name)
                return await self._catalog.read_id(plan.record.id)
            except NotFound:
                if standing.possible:
                    raise Refusal.COLLECTION_DROPPED(name=name) from None
                raise
            except Unavailable as error:
                standing.last = error.message
                await self._pause(backoff, call, standing)

    async def _pause(self, backoff: Backoff, call: Call, standing: Standing) -> None:
        """Wait before the next try; `Aborted` when the client's time is over."""
        if call.remaining_s <= 0:
            raise self._sender.time_over(standing)
        await self._host.clock.sleep(min(backoff.next_s(), call.remaining_s))

    def _automatic_keys(self, record: CollectionRecord, call: Call) -> AutomaticKeys | None:
        if not record.schema.key.auto_id:
            return None
        kind = key_type(record.schema)
        place = (str(kind), len(record.vchannels))
        if place not in self._automatic:
            self._automatic[place] = AutomaticKeys(
                kind, len(record.vchannels), self._lease_ids, self._settings.keys_leased
            )
        return self._automatic[place]

    async def _lease_ids(self, count: int) -> tuple[int, int]:
        call = Call(
            method="AllocIds",
            clock=self._host.clock,
            deadline=self._host.clock.monotonic() + self._settings.append_timeout_s,
        )
        answer: AllocIdsResponse = await self._leaders.call(
            Role.MASTER_SERVICE, AllocIdsRequest(count), call
        )
        return answer.first, answer.count


def _stored_keys(plan: Plan, responses: list[AppendResponse]) -> pa.Array:
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
