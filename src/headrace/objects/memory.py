"""Objects in memory: a server that outlives its clients, and clients to which faults may happen.

The server is the bucket: it survives the kill of a client in the middle of a call, as a store does.
A hook chooses a fault before each call: it may fail unsent, be delayed, land late (after its caller
was told that it failed, or was killed), or be done with its answer lost.
"""

import asyncio
import contextlib
import contextvars
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from headrace.model.entry import Body
from headrace.model.errors import Conflict, HeadraceError, NotFound, Unavailable
from headrace.objects.api import ObjectInfo
from headrace.objects.key import check_key
from headrace.runtime.host import Clock


@dataclass(frozen=True, slots=True)
class StoreFault:
    """What goes wrong with one call.

    `delay_s` passes before the call reaches the store, `answer_delay_s` before its answer comes
    back. `unsent`: it never reaches the store. `late_s`: the caller is told `Unavailable`, and the
    call is carried out that much later all the same. `lost`: it is carried out, and the caller is
    told `Unavailable`.
    """

    delay_s: float = 0.0
    answer_delay_s: float = 0.0
    unsent: bool = False
    lost: bool = False
    late_s: float | None = None


# (operation: put, get, list or delete; key or prefix) -> what goes wrong, None = nothing
StoreFaultHook: TypeAlias = Callable[[str, str], StoreFault | None]
T = TypeVar("T")
_NO_FAULT = StoreFault()


class MemoryBucket:
    """A bucket. All clients of one server see the same objects."""

    def __init__(
        self, clock: Clock, name: str = "store", capacity_bytes: int | None = None
    ) -> None:
        self.clock = clock
        self.name = name
        self.capacity_bytes = capacity_bytes
        self.on_put: Callable[[str, bytes], None] = lambda key, data: None  # of each that arrives
        self._objects: dict[str, tuple[bytes, int]] = {}
        self._keys: list[str] = []
        self._late: set[asyncio.Task[None]] = set()

    def put(self, key: str, data: bytes) -> None:
        """Store under an absent key; `Conflict` when it exists, `Unavailable` when full."""
        self.on_put(key, data)
        if key in self._objects:
            raise Conflict(f"object {key} exists")
        if self.capacity_bytes is not None and self.used_bytes + len(data) > self.capacity_bytes:
            raise Unavailable(f"no space is left in {self.name} for {key}")
        self._objects[key] = (data, self.clock.wall_ms())
        insort(self._keys, key)

    def get(self, key: str) -> bytes:
        """The whole object; `NotFound` when absent."""
        if key not in self._objects:
            raise NotFound(f"object {key} is absent", field="key")
        return self._objects[key][0]

    def list(self, prefix: str, after: str = "") -> tuple[ObjectInfo, ...]:
        """Objects in key order."""
        start = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        found = []
        for key in self._keys[start:]:
            if not key.startswith(prefix):
                break
            data, modified_ms = self._objects[key]
            found.append(ObjectInfo(key, len(data), modified_ms))
        return tuple(found)

    def delete(self, key: str) -> None:
        if self._objects.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def land_late(self, delay_s: float, work: Callable[[], object]) -> None:
        """Carry a call out after its caller is gone; what it then meets is nobody's answer."""

        async def land() -> None:
            await self.clock.sleep(delay_s)
            with contextlib.suppress(HeadraceError):
                work()

        # In no one's context: the kill of a client that cancels what runs in the client's context
        # does not reach what is on the wire.
        loop = asyncio.get_running_loop()
        task = loop.create_task(land(), name=f"{self.name}:late", context=contextvars.Context())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    @property
    def used_bytes(self) -> int:
        return sum(len(data) for data, _ in self._objects.values())


class MemoryObjects:
    """One process's client of a `MemoryBucket`; see `headrace.objects.api.ObjectStore`."""

    def __init__(self, server: MemoryBucket, faults: StoreFaultHook | None = None) -> None:
        self.server = server
        self.faults = faults

    @property
    def uri(self) -> str:
        return f"memory://{self.server.name}"

    async def check(self) -> None:
        await self.list("")

    async def put(self, key: str, parts: Sequence[Body]) -> None:
        check_key(key)
        data = b"".join(parts)
        await self._call("put", key, lambda: self.server.put(key, data))

    async def get(self, key: str) -> bytes:
        check_key(key)
        return await self._call("get", key, lambda: self.server.get(key))

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        check_key(key)
        data = await self._call("get", key, lambda: self.server.get(key))
        begin = start if start >= 0 else max(0, len(data) + start)
        return data[begin : begin + length]

    async def list(self, prefix: str, *, after: str = "") -> Sequence[ObjectInfo]:
        return await self._call("list", prefix, lambda: self.server.list(prefix, after))

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
            await self._call("delete", key, partial(self.server.delete, key))

    async def free_bytes(self) -> int | None:
        if self.server.capacity_bytes is None:
            return None
        return self.server.capacity_bytes - self.server.used_bytes

    async def close(self) -> None:
        """Late calls still land: they are on their way, not in this process."""

    async def _call(self, operation: str, key: str, work: Callable[[], T]) -> T:
        fault = (self.faults(operation, key) if self.faults else None) or _NO_FAULT
        if fault.delay_s:
            await self.server.clock.sleep(fault.delay_s)
        if fault.unsent:
            raise Unavailable(f"{operation} of {key} was not sent")
        if fault.late_s is not None:
            self.server.land_late(fault.late_s, work)
            raise Unavailable(f"{operation} of {key}: no answer")
        result = work()
        if fault.answer_delay_s:
            await self.server.clock.sleep(fault.answer_delay_s)
        if fault.lost:
            raise Unavailable(f"{operation} of {key}: the answer was lost")
        return result
