"""A meta store in memory: etcd's model on an injected clock, for the simulator and unit tests.

One `MemoryMetaServer` is the store; each process of a simulation has a handle of its own
(`client`), so that one process can be cut off, or lose an answer, by its handle's `CallHook`.
Nothing runs in the background: expired leases end when any call comes, and a watch that waits wakes
for the next end. So the same calls at the same times give the same revisions. The conformance tests
run on it and on etcd.
"""

import asyncio
from bisect import bisect_left, insort
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

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
    ValueIs,
    WatchBatch,
    assert_allowed,
)
from headrace.model.errors import Conflict, Unavailable
from headrace.model.ids import Revision
from headrace.runtime.host import Clock

LEAST_TTL_S = 2  # etcd's least with its default election timeout
_RETRY_S = 0.1  # how soon a watch that was cut off tries again

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MetaCall:
    """A call as a hook sees it: who, which method, and its arguments."""

    client: str
    method: str
    arguments: tuple[Any, ...]


class CallHook(Protocol):
    """What stands between a handle and the store: delays (by waiting) and faults (by raising)."""

    async def before(self, call: MetaCall) -> None:
        """On the way there; `Unavailable` = the store never hears of it."""
        ...

    async def after(self, call: MetaCall) -> None:
        """On the way back; `Unavailable` = it was done, the answer is lost."""
        ...


@dataclass(slots=True)
class _Lease:
    ttl_s: int
    ends: float
    keys: dict[str, None] = field(default_factory=dict)  # a set that keeps its order


class MemoryMetaServer:
    """The store itself. Every method is atomic: nothing in here waits, but watches."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._revision: Revision = 1
        self._compacted: Revision = 0
        self._keys: list[str] = []  # sorted; every key with a history, deleted ones too
        self._history: dict[str, list[tuple[Revision, KeyValue | None]]] = {}
        self._batches: list[WatchBatch] = []  # in order of revision
        self._leases: dict[int, _Lease] = {}
        self._last_lease = 0
        self._waiters: dict[asyncio.Future[None], None] = {}

    def client(self, name: str = "", hook: CallHook | None = None) -> "MemoryMeta":
        return MemoryMeta(self, self._clock, name, hook)

    @property
    def revision(self) -> Revision:
        """Of the last change."""
        self._end_leases()
        return self._revision

    def compact(self, revision: Revision) -> None:
        """Forget what only reads and watches below `revision` would need."""
        assert self._compacted < revision <= self._revision, "compaction moves on, to what exists"
        self._compacted = revision
        self._batches = [b for b in self._batches if b.revision >= revision]
        for key in list(self._history):
            past = self._history[key]
            old = sum(1 for at, _ in past if at <= revision)
            past = past[max(0, old - 1) :]
            if past[0][1] is None and past[0][0] <= revision:
                past = past[1:]
            if past:
                self._history[key] = past
            else:
                del self._history[key]
                self._keys.remove(key)

    def restart(self) -> None:
        """What a restart of etcd does: every lease begins anew, in full."""
        self._end_leases()
        for lease in self._leases.values():
            lease.ends = self._clock.monotonic() + lease.ttl_s

    def read(self, start: str, prefix: bool, revision: Revision) -> RangeResult:
        """One key or all that begin with it, at a revision (0 = now)."""
        self._end_leases()
        assert revision <= self._revision, "a revision that has not been yet"
        if revision and revision < self._compacted:
            raise Compacted(self._compacted)
        at = revision or self._revision
        items = []
        for key in self._matching(start) if prefix else (start,):
            item = self._at(key, at)
            if item is not None:
                items.append(item)
        return RangeResult(tuple(items), at)

    def txn(self, compare: Sequence[Compare], operations: Sequence[Operation]) -> TxnResult:
        self._end_leases()
        if not all(self._holds(c) for c in compare):
            return TxnResult(False, self._revision)
        for operation in operations:
            if isinstance(operation, Put) and operation.lease not in (0, *self._leases):
                raise Conflict(f"lease {operation.lease:x} of {operation.key} has ended")
        self._apply(operations)
        return TxnResult(True, self._revision)

    def grant(self, ttl_s: int) -> int:
        self._end_leases()
        self._last_lease += 1
        ttl_s = max(ttl_s, LEAST_TTL_S)
        self._leases[self._last_lease] = _Lease(ttl_s, self._clock.monotonic() + ttl_s)
        self.wake()
        return self._last_lease

    def keep_alive(self, lease_id: int) -> int:
        self._end_leases()
        lease = self._leases.get(lease_id)
        if lease is None:
            return 0
        lease.ends = self._clock.monotonic() + lease.ttl_s
        return lease.ttl_s

    def revoke(self, lease_id: int) -> None:
        """A stuck etcd leader ends leases early the same way."""
        self._end_leases()
        self._end_lease(lease_id)

    def changes(self, prefix: str, start: Revision) -> tuple[list[WatchBatch], Revision]:
        """What is there to see from `start` on, and the revision to go on from."""
        self._end_leases()
        if start < self._compacted:
            raise Compacted(self._compacted)
        first = bisect_left(self._batches, start, key=lambda b: b.revision)
        found = []
        for batch in self._batches[first:]:
            events = tuple(e for e in batch.events if e.key.startswith(prefix))
            if events:
                found.append(WatchBatch(batch.revision, events))
        return found, max(start, self._revision + 1)

    async def changed(self, start: Revision) -> None:
        """Return when there may be something to see from `start` on."""
        self._end_leases()
        if self._revision >= start:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        alarm = None
        if self._leases:
            ends = min(lease.ends for lease in self._leases.values())
            alarm = asyncio.create_task(self._clock.sleep(ends - self._clock.monotonic()))
            alarm.add_done_callback(lambda _: _set(waiter))
        try:
            await waiter
        finally:
            self._waiters.pop(waiter, None)
            if alarm is not None:
                alarm.cancel()

    def wake(self) -> None:
        """Let every watch that waits look again: at changes, the next end of a lease, its close."""
        # All are dropped here, not only by those that wait: one of them may be in a dead process.
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            _set(waiter)

    # ---- inside ------------------------------------------------------------------------------

    def _matching(self, prefix: str) -> list[str]:
        first = bisect_left(self._keys, prefix)
        last = first
        while last < len(self._keys) and self._keys[last].startswith(prefix):
            last += 1
        return self._keys[first:last]

    def _at(self, key: str, revision: Revision) -> KeyValue | None:
        found = None
        for at, item in self._history.get(key, ()):
            if at > revision:
                break
            found = item
        return found

    def _now(self, key: str) -> KeyValue | None:
        past = self._history.get(key)
        return past[-1][1] if past else None

    def _holds(self, compare: Compare) -> bool:
        item = self._now(compare.key)
        if isinstance(compare, ModRevisionIs):
            return (item.mod_revision if item else 0) == compare.revision
        assert isinstance(compare, ValueIs)
        return item is not None and item.value == compare.value

    def _apply(self, operations: Sequence[Operation]) -> None:
        revision = self._revision + 1
        events: list[PutEvent | DeleteEvent] = []
        for operation in operations:
            if isinstance(operation, Put):
                events.append(PutEvent(self._put(operation, revision)))
                continue
            assert isinstance(operation, Delete)
            matching = self._matching(operation.key) if operation.prefix else [operation.key]
            for key in matching:
                if self._now(key) is not None:
                    self._set(key, revision, None)
                    events.append(DeleteEvent(key, revision))
        if events:
            self._revision = revision
            self._batches.append(WatchBatch(revision, tuple(events)))
            self.wake()

    def _put(self, put: Put, revision: Revision) -> KeyValue:
        old = self._now(put.key)
        item = KeyValue(
            put.key,
            bytes(put.value),
            old.create_revision if old else revision,
            revision,
            old.version + 1 if old else 1,
            put.lease,
        )
        self._set(put.key, revision, item)
        return item

    def _set(self, key: str, revision: Revision, item: KeyValue | None) -> None:
        old = self._now(key)
        if old is not None and old.lease in self._leases:
            self._leases[old.lease].keys.pop(key, None)
        if key not in self._history:
            self._history[key] = []
            insort(self._keys, key)
        self._history[key].append((revision, item))
        if item is not None and item.lease:
            self._leases[item.lease].keys[key] = None

    def _end_leases(self) -> None:
        now = self._clock.monotonic()
        over = [(lease.ends, id_) for id_, lease in self._leases.items() if lease.ends <= now]
        for _, id_ in sorted(over):
            self._end_lease(id_)

    def _end_lease(self, lease_id: int) -> None:
        lease = self._leases.get(lease_id)
        if lease is not None:
            self._apply([Delete(key) for key in sorted(lease.keys)])
            del self._leases[lease_id]


class MemoryMeta:
    """One process's handle on a `MemoryMetaServer`; a `MetaStore`."""

    def __init__(
        self, server: MemoryMetaServer, clock: Clock, name: str, hook: CallHook | None
    ) -> None:
        self._server = server
        self._clock = clock
        self._name = name
        self._hook = hook
        self._closed = False

    async def get(self, key: str, *, revision: Revision = 0) -> RangeResult:
        call = await self._before("get", key, revision)
        return await self._after(call, self._server.read(key, False, revision))

    async def range(self, prefix: str, *, revision: Revision = 0) -> RangeResult:
        call = await self._before("range", prefix, revision)
        return await self._after(call, self._server.read(prefix, True, revision))

    async def txn(self, compare: Sequence[Compare], operations: Sequence[Operation]) -> TxnResult:
        assert_allowed(compare, operations)
        call = await self._before("txn", tuple(compare), tuple(operations))
        return await self._after(call, self._server.txn(compare, operations))

    async def grant(self, ttl_s: int) -> int:
        call = await self._before("grant", ttl_s)
        return await self._after(call, self._server.grant(ttl_s))

    async def keep_alive(self, lease: int) -> int:
        call = await self._before("keep_alive", lease)
        return await self._after(call, self._server.keep_alive(lease))

    async def revoke(self, lease: int) -> None:
        call = await self._before("revoke", lease)
        self._server.revoke(lease)
        await self._after(call, None)

    async def watch(self, prefix: str, *, start: Revision) -> AsyncGenerator[WatchBatch, None]:
        assert start > 0, "a watch begins at a revision"
        while True:
            if not self._closed:
                await self._server.changed(start)
            try:
                call = await self._before("watch", prefix, start)
                batches, start = await self._after(call, self._server.changes(prefix, start))
            except Unavailable:
                if self._closed:
                    raise
                await self._clock.sleep(_RETRY_S)
                continue
            for batch in batches:
                yield batch

    async def close(self) -> None:
        self._closed = True
        self._server.wake()

    async def _before(self, method: str, *arguments: Any) -> MetaCall:
        call = MetaCall(self._name, method, arguments)
        if self._closed:
            raise Unavailable("the meta store's client is closed")
        if self._hook is not None:
            await self._hook.before(call)
        return call

    async def _after(self, call: MetaCall, result: T) -> T:
        if self._hook is not None:
            await self._hook.after(call)
        return result


def _set(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
