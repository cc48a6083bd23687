"""The log in memory: the fake of tests and the log of the simulator, by the whole contract.

`MemoryLogServer` stands for the servers and their disks and outlives every client. A `Courier`
carries each request to the server and its answer back, and may delay, lose or hold back either; so
a simulator decides what happens on the way and the server stays as simple as the contract.

When a courier holds an append back while it tells the client `Unavailable`, the append is let in
later if the id it names is still the last: exactly what a real server does with bytes that were in
a socket. Nothing here depends on hashes or time: the same calls in the same order give the same
log.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar, TypeVarTuple

from headrace.log.api import LogReader, Message
from headrace.model.channel import PChannel
from headrace.model.entry import Body
from headrace.model.errors import Conflict, Corrupt, Invalid, Unavailable
from headrace.model.ids import MessageId

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MAX_MESSAGE_BYTES = 8_000_000


class Courier(Protocol):
    """The way between one client and the server.

    `operation` is one of ensure, append, last, first, get, fetch, truncate, free.
    """

    async def carry(self, operation: str, pchannel: PChannel, apply: Callable[[], T]) -> T:
        """Call `apply` (the server's part, synchronous) and hand its answer or error back.

        May wait before or after, raise `Unavailable` instead of calling it, after having called it
        (a lost answer), or raise and call it later (a late append). A `get` may be answered None.
        """

    async def pause(self) -> None:
        """Return when a reader that met `Unavailable` should try again."""


class DirectCourier:
    """No way at all: every request is answered at once."""

    async def carry(self, operation: str, pchannel: PChannel, apply: Callable[[], T]) -> T:
        return apply()

    async def pause(self) -> None:
        """Never needed, since nothing is ever unavailable."""


class _Stream:
    """One pchannel: what is kept, from `first` on."""

    def __init__(self) -> None:
        self.first: MessageId = 1
        self.kept: list[bytes] = []

    @property
    def last(self) -> MessageId:
        return self.first + len(self.kept) - 1


class MemoryLogServer:
    """All pchannels of a cluster, durable by definition: what is in it survives every client."""

    def __init__(
        self, *, max_message_bytes: int = MAX_MESSAGE_BYTES, capacity_bytes: int | None = None
    ) -> None:
        self._streams: dict[PChannel, _Stream] = {}
        self._waiting: dict[PChannel, list[asyncio.Future[None]]] = {}
        self._max_message_bytes = max_message_bytes
        self._capacity_bytes = capacity_bytes
        self._used_bytes = 0

    def client(self, courier: Courier | None = None) -> "MemoryLog":
        """A client of its own; all that it asks goes through `courier`."""
        return MemoryLog(self, courier or DirectCourier())

    def pchannels(self) -> list[PChannel]:
        """All that exist, in the order in which they were made."""
        return list(self._streams)

    def messages(self, pchannel: PChannel) -> list[Message]:
        """All that is kept, in order: for checkers, which see the log without any fault."""
        stream = self._stream(pchannel)
        return [Message(stream.first + i, data) for i, data in enumerate(stream.kept)]

    def ensure(self, pchannel: PChannel) -> None:
        if pchannel not in self._streams:
            self._streams[pchannel] = _Stream()
            self._wake(pchannel)

    def append(self, pchannel: PChannel, data: bytes, expected_last: MessageId) -> MessageId:
        """`Unavailable` when the disk is full."""
        stream = self._stream(pchannel)
        if len(data) > self._max_message_bytes:
            raise Invalid(
                f"message of {len(data)} bytes; the log takes {self._max_message_bytes}",
                field="message",
            )
        if stream.last != expected_last:
            raise Conflict(f"{pchannel}: {expected_last} is not the last message: {stream.last}")
        free = self.free_bytes()
        if free is not None and free < len(data):
            raise Unavailable(f"{pchannel}: the log's disk is full")
        stream.kept.append(data)
        self._used_bytes += len(data)
        self._wake(pchannel)
        return stream.last

    def last(self, pchannel: PChannel) -> MessageId:
        return self._stream(pchannel).last

    def first(self, pchannel: PChannel) -> MessageId:
        return self._stream(pchannel).first

    def get(self, pchannel: PChannel, message_id: MessageId) -> Message | None:
        stream = self._stream(pchannel)
        if not stream.first <= message_id <= stream.last:
            return None
        return Message(message_id, stream.kept[message_id - stream.first])

    def fetch(self, pchannel: PChannel, start: MessageId, max_bytes: int) -> list[Message]:
        """Messages from `start` on within the credit, at least one if there is one, else none."""
        stream = self._streams.get(pchannel)
        if stream is None:
            return []
        if start < stream.first:
            raise Corrupt(
                f"{pchannel}: message {start} was truncated, the first is {stream.first}",
                channel=pchannel,
            )
        fetched: list[Message] = []
        for message_id in range(start, stream.last + 1):
            data = stream.kept[message_id - stream.first]
            if fetched and len(data) > max_bytes:
                break
            fetched.append(Message(message_id, data))
            max_bytes -= len(data)
        return fetched

    def truncate(self, pchannel: PChannel, below: MessageId) -> None:
        stream = self._stream(pchannel)
        below = min(below, stream.last)
        if below > stream.first:
            count = below - stream.first
            self._used_bytes -= sum(map(len, stream.kept[:count]))
            del stream.kept[:count]
            stream.first = below
            self._wake(pchannel)

    def free_bytes(self) -> int | None:
        if self._capacity_bytes is None:
            return None
        return max(0, self._capacity_bytes - self._used_bytes)

    async def moved(self, pchannel: PChannel, start: MessageId) -> None:
        """Return when a fetch from `start` has something to say: a message, or `Corrupt`."""
        while True:
            stream = self._streams.get(pchannel)
            if stream is not None and (start < stream.first or start <= stream.last):
                return
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(pchannel, []).append(future)
            await future

    def _wake(self, pchannel: PChannel) -> None:
        for future in self._waiting.pop(pchannel, []):
            if not future.done():
                future.set_result(None)

    def _stream(self, pchannel: PChannel) -> _Stream:
        if pchannel not in self._streams:
            raise Unavailable(f"pchannel {pchannel} is not there")
        return self._streams[pchannel]


class MemoryLog:
    """A client of a `MemoryLogServer`; see `headrace.log.api.Log`."""

    def __init__(self, server: MemoryLogServer, courier: Courier) -> None:
        self._server = server
        self._courier = courier

    async def ensure(self, pchannel: PChannel) -> None:
        await self._ask("ensure", self._server.ensure, pchannel)

    async def append(
        self, pchannel: PChannel, parts: Sequence[Body], expected_last: MessageId
    ) -> MessageId:
        return await self._ask(
            "append", self._server.append, pchannel, b"".join(parts), expected_last
        )

    async def last(self, pchannel: PChannel) -> MessageId:
        return await self._ask("last", self._server.last, pchannel)

    async def first(self, pchannel: PChannel) -> MessageId:
        return await self._ask("first", self._server.first, pchannel)

    async def get(self, pchannel: PChannel, message_id: MessageId) -> Message | None:
        return await self._ask("get", self._server.get, pchannel, message_id)

    async def read(self, pchannel: PChannel, start: MessageId) -> LogReader:
        return _MemoryReader(self._server, self._courier, pchannel, max(start, 1))

    async def truncate(self, pchannel: PChannel, below: MessageId) -> None:
        await self._ask("truncate", self._server.truncate, pchannel, below)

    async def free_bytes(self) -> int | None:
        return await self._courier.carry("free", "", self._server.free_bytes)

    async def close(self) -> None:
        """There is nothing to give back."""

    async def _ask(
        self, operation: str, apply: Callable[[PChannel, *Ts], T], pchannel: PChannel, *values: *Ts
    ) -> T:
        return await self._courier.carry(operation, pchannel, partial(apply, pchannel, *values))


class _MemoryReader:
    def __init__(
        self, server: MemoryLogServer, courier: Courier, pchannel: PChannel, start: MessageId
    ) -> None:
        self._server = server
        self._courier = courier
        self._pchannel = pchannel
        self._next = start

    async def fetch(self, max_bytes: int) -> Sequence[Message]:
        while True:
            try:
                messages = await self._courier.carry(
                    "fetch",
                    self._pchannel,
                    lambda: self._server.fetch(self._pchannel, self._next, max_bytes),
                )
                if messages:
                    self._next = messages[-1].id + 1
                    return messages
                await self._server.moved(self._pchannel, self._next)
            except Unavailable:
                await self._courier.pause()

    async def close(self) -> None:
        """There is nothing to give back."""
