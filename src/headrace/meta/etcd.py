"""The meta store on etcd v3, by a thin client of our own.

Messages are a small part of etcd's protocol (`proto/etcd.proto`); no published client gives
revisions, TLS, several members and a watch that survives a disconnect together.

A watch is one stream of its own; when it breaks it goes on at the revision behind the last that was
delivered. etcd delivers whole revisions, so nothing is missed and nothing comes twice.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from google.protobuf.message import Message

from headrace.gen import etcd_pb2 as pb
from headrace.meta.api import (
    Compacted,
    Compare,
    Delete,
    DeleteEvent,
    KeyValue,
    ModRevisionIs,
    Operation,
    Put,
    PutEvent,
    RangeResult,
    TxnResult,
    WatchBatch,
    assert_allowed,
)
from headrace.meta.etcd_connections import EtcdAccess, EtcdConnections, R
from headrace.model.errors import Conflict, NotFound, Unavailable
from headrace.model.ids import Revision
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses

TIMEOUT_S = 5.0
KEEP_ALIVE_TIMEOUT_S = 1.0  # below a third of the shortest session, so that one loss is no loss
PAGE_KEYS = 500
_WATCH_PAUSES = Pauses(first_s=0.02, most_s=1.0)


class EtcdMeta:
    """A `MetaStore`."""

    def __init__(self, access: EtcdAccess, host: Host) -> None:
        self._host = host
        self._connections = EtcdConnections(access, host.clock)

    async def get(self, key: str, *, revision: Revision = 0) -> RangeResult:
        response = await self._range(pb.RangeRequest(key=key.encode(), revision=revision))
        return _result(response.kvs, revision or response.header.revision)

    async def range(self, prefix: str, *, revision: Revision = 0) -> RangeResult:
        while True:
            try:
                return await self._pages(prefix, revision)
            except Compacted:
                # Without a revision of the caller's it was the first page's that has gone.
                if revision:
                    raise

    async def txn(self, compare: Sequence[Compare], operations: Sequence[Operation]) -> TxnResult:
        assert_allowed(compare, operations)
        request = pb.TxnRequest(
            compare=[_compare(c) for c in compare], success=[_operation(o) for o in operations]
        )
        try:
            response = await self._ask("KV/Txn", request, pb.TxnResponse, repeat=False)
        except NotFound as error:
            raise Conflict(error.message) from error
        return TxnResult(response.succeeded, response.header.revision)

    async def grant(self, ttl_s: int) -> int:
        request = pb.LeaseGrantRequest(TTL=ttl_s)
        return (await self._ask("Lease/LeaseGrant", request, pb.LeaseGrantResponse)).ID

    async def keep_alive(self, lease: int) -> int:
        responses = self._connections.stream(
            "/etcdserverpb.Lease/LeaseKeepAlive",
            pb.LeaseKeepAliveRequest(ID=lease),
            pb.LeaseKeepAliveResponse,
            timeout_s=KEEP_ALIVE_TIMEOUT_S,
        )
        async with aclosing(responses):
            async for response in responses:
                return response.TTL
        raise Unavailable("etcd ended a keep-alive without an answer")

    async def revoke(self, lease: int) -> None:
        try:
            request = pb.LeaseRevokeRequest(ID=lease)
            await self._ask("Lease/LeaseRevoke", request, pb.LeaseRevokeResponse)
        except NotFound:
            return  # it has ended already

    async def watch(self, prefix: str, *, start: Revision) -> AsyncGenerator[WatchBatch, None]:
        assert start > 0, "a watch begins at a revision"
        backoff = Backoff(self._host, _WATCH_PAUSES)
        while True:
            batches = self._watch_once(prefix, start)
            try:
                async with aclosing(batches):
                    async for batch in batches:
                        backoff.reset()
                        start = batch.revision + 1
                        yield batch
            except Unavailable:
                if self._connections.closed:
                    raise
            await self._host.clock.sleep(backoff.next_s())

    async def compact(self, revision: Revision) -> None:
        """Have etcd forget what only reads and watches below `revision` would need."""
        request = pb.CompactionRequest(revision=revision, physical=True)
        await self._ask("KV/Compact", request, pb.CompactionResponse, repeat=False)

    async def close(self) -> None:
        await self._connections.close()

    # ---- inside ------------------------------------------------------------------------------

    async def _ask(
        self, method: str, request: Message, response: type[R], *, repeat: bool = True
    ) -> R:
        return await self._connections.ask(
            f"/etcdserverpb.{method}", request, response, timeout_s=TIMEOUT_S, repeat=repeat
        )

    async def _range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        try:
            return await self._ask("KV/Range", request, pb.RangeResponse)
        except Compacted:
            raise Compacted(request.revision + 1) from None  # etcd does not say up to where

    async def _pages(self, prefix: str, revision: Revision) -> RangeResult:
        key, end = prefix.encode(), _end_of(prefix)
        items: list[pb.KeyValue] = []
        while True:
            response = await self._range(
                pb.RangeRequest(key=key, range_end=end, limit=PAGE_KEYS, revision=revision)
            )
            revision = revision or response.header.revision
            items += response.kvs
            if not response.more:
                return _result(items, revision)
            key = response.kvs[-1].key + b"\0"

    async def _watch_once(self, prefix: str, start: Revision) -> AsyncGenerator[WatchBatch, None]:
        """Batches of one stream; returns or raises `Unavailable` when it ends."""
        create = pb.WatchCreateRequest(
            key=prefix.encode(), range_end=_end_of(prefix), start_revision=start
        )
        responses = self._connections.stream(
            "/etcdserverpb.Watch/Watch",
            pb.WatchRequest(create_request=create),
            pb.WatchResponse,
            timeout_s=None,
        )
        async with aclosing(responses):
            async for response in responses:
                if response.compact_revision:
                    raise Compacted(response.compact_revision)
                if response.canceled:
                    raise Unavailable(f"etcd ended a watch: {response.cancel_reason}")
                for batch in _batches(response.events):
                    yield batch


def _end_of(prefix: str) -> bytes:
    """The first key behind all that begin with the prefix, as etcd wants ranges."""
    key = prefix.encode()
    assert key and key[-1] < 0xFF, "a prefix is text, and not empty"
    return key[:-1] + bytes([key[-1] + 1])


def _item(kv: pb.KeyValue) -> KeyValue:
    return KeyValue(
        kv.key.decode(), kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease
    )


def _result(items: Sequence[pb.KeyValue], revision: Revision) -> RangeResult:
    return RangeResult(tuple(_item(kv) for kv in items), revision)


def _compare(compare: Compare) -> pb.Compare:
    key = compare.key.encode()
    if isinstance(compare, ModRevisionIs):
        return pb.Compare(key=key, target=pb.Compare.MOD, mod_revision=compare.revision)
    return pb.Compare(key=key, target=pb.Compare.VALUE, value=compare.value)


def _operation(operation: Operation) -> pb.RequestOp:
    key = operation.key.encode()
    if isinstance(operation, Put):
        put = pb.PutRequest(key=key, value=bytes(operation.value), lease=operation.lease)
        return pb.RequestOp(request_put=put)
    assert isinstance(operation, Delete)
    end = _end_of(operation.key) if operation.prefix else b""
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key, range_end=end))


def _batches(events: Sequence[pb.Event]) -> list[WatchBatch]:
    """Events of one response by revision; they come in its order."""
    found: dict[Revision, list[PutEvent | DeleteEvent]] = {}
    for event in events:
        kv = event.kv
        put = event.type == pb.Event.PUT
        found.setdefault(kv.mod_revision, []).append(
            PutEvent(_item(kv)) if put else DeleteEvent(kv.key.decode(), kv.mod_revision)
        )
    return [WatchBatch(revision, tuple(events)) for revision, events in found.items()]
