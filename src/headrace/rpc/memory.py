"""Peers in memory: calls between simulated processes, with injectable delay, loss and repetition.

Requests, responses and errors pass through the same bytes as on gRPC, so a message that cannot be
carried fails here too.

A handler runs as a task in the context in which its server was started, so it belongs to that
process and not to the caller's; a caller that gives up does not end it.
"""

import asyncio
import contextvars
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headrace.model.errors import HeadraceError, Invalid, Unavailable
from headrace.rpc import codec
from headrace.rpc.answering import Answering, Failed
from headrace.rpc.api import Handler, NotSent
from headrace.rpc.messages import RESPONSE_OF
from headrace.runtime.host import Clock
from headrace.runtime.race import pause

STOP_S = 1.0  # how long a server that stops lets its handlers finish


@dataclass(frozen=True, slots=True)
class Call:
    """A call as faults see it."""

    source: str
    address: str
    request: Any


class Faults(Protocol):
    """What the network does to a call; decided when it is sent and when it is answered."""

    def request_delays(self, call: Call) -> Sequence[float]:
        """Seconds until each delivery: `(0,)` in order, `()` lost, more than one = repeated.

        May raise `NotSent` (refused) or `Unavailable` (reset).
        """
        ...

    def response_delay(self, call: Call) -> float | None:
        """Seconds until the answer arrives, None = it is lost."""
        ...


class Reliable:
    """A network without faults."""

    def request_delays(self, call: Call) -> Sequence[float]:
        return (0.0,)

    def response_delay(self, call: Call) -> float | None:
        return 0.0


class MemoryNetwork:
    """Addresses and who listens there. `failed` is told the request and the error of handlers
    that break (our own bugs); without it the error is raised in the server's task.

    What is on its way belongs to the network, in whose context it travels: a delayed request
    arrives although its sender has died.
    """

    def __init__(
        self,
        clock: Clock,
        faults: Faults | None = None,
        failed: Failed | None = None,
    ) -> None:
        self.clock = clock
        self.faults: Faults = faults or Reliable()
        self.failed: Failed = failed or _raise
        self._listening: dict[str, MemoryServer] = {}
        self._ports = 20_000
        self._context = contextvars.copy_context()
        self._travelling: dict[asyncio.Task[None], None] = {}

    def server(self, address: str = "") -> "MemoryServer":
        """A server that will listen at `address`, or at one of the network's choice."""
        if not address:
            self._ports += 1
            address = f"127.0.0.1:{self._ports}"
        return MemoryServer(self, address)

    def peers(self, name: str = "") -> "MemoryPeers":
        """Calls by the process of that name."""
        return MemoryPeers(self, name)

    def kill(self, address: str) -> None:
        """The process there died: nobody listens any more, calls under way are reset."""
        server = self._listening.pop(address, None)
        if server is not None:
            server.reset()

    def listen(self, server: "MemoryServer") -> None:
        """Used by `MemoryServer.start`."""
        if server.address in self._listening:
            raise Invalid(f"{server.address} is in use", field="address")
        self._listening[server.address] = server

    def close(self, server: "MemoryServer") -> None:
        """Used by `MemoryServer.stop`."""
        if self._listening.get(server.address) is server:
            del self._listening[server.address]

    def send(self, call: Call, answer: "asyncio.Future[Any]") -> None:
        """Carry a request to its server and the first response back into `answer`."""
        data = codec.encode(call.request)
        delays = self.faults.request_delays(call)
        if call.address not in self._listening:
            raise NotSent(f"{call.address} refused the connection")
        for delay in delays:
            self._travel(self._there(call, data, delay, answer))

    def reply(self, call: Call, answer: "asyncio.Future[Any]", outcome: Any) -> None:
        """Carry a response, or an error, back."""
        delay = self.faults.response_delay(call)
        if delay is not None:
            self._travel(self._back(delay, answer, outcome))

    def _travel(self, way: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(way, context=self._context.copy())
        self._travelling[task] = None
        task.add_done_callback(lambda _: self._travelling.pop(task, None))

    async def _there(
        self, call: Call, data: bytes, delay: float, answer: "asyncio.Future[Any]"
    ) -> None:
        if delay > 0:
            await self.clock.sleep(delay)
        server = self._listening.get(call.address)
        if server is None:
            _settle(answer, Unavailable(f"the connection to {call.address} was reset"))
        else:
            server.deliver(call, data, answer)

    async def _back(self, delay: float, answer: "asyncio.Future[Any]", outcome: Any) -> None:
        if delay > 0:
            await self.clock.sleep(delay)
        _settle(answer, outcome)


class MemoryServer:
    """A `rpc.api.Server` in a `MemoryNetwork`."""

    def __init__(self, network: MemoryNetwork, address: str) -> None:
        self._network = network
        self._address = address
        self._answering = Answering({}, network.failed)
        self._context = contextvars.copy_context()
        self._under_way: dict[asyncio.Task[None], asyncio.Future[Any]] = {}

    @property
    def address(self) -> str:
        return self._address

    async def start(self, handlers: Mapping[type, Handler]) -> None:
        """The handlers run in the context of this call."""
        self._answering = Answering(handlers, self._network.failed)
        self._context = contextvars.copy_context()
        self._network.listen(self)

    async def stop(self) -> None:
        self._network.close(self)
        if self._under_way:
            await pause(self._network.clock, STOP_S, asyncio.wait(list(self._under_way)))
        tasks = list(self._under_way)
        self.reset()
        for task in tasks:
            task.cancel()

    def reset(self) -> None:
        """Every caller that still waits sees its connection reset."""
        under_way, self._under_way = self._under_way, {}
        for answer in under_way.values():
            _settle(answer, Unavailable(f"the connection to {self._address} was reset"))

    def deliver(self, call: Call, data: bytes, answer: "asyncio.Future[Any]") -> None:
        """Start the handler, in the context of this server."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._handle(call, data, answer), context=self._context.copy())
        self._under_way[task] = answer
        task.add_done_callback(lambda _: self._under_way.pop(task, None))

    async def _handle(self, call: Call, data: bytes, answer: "asyncio.Future[Any]") -> None:
        outcome: Any
        kind = type(call.request)
        try:
            response = await self._answering.answer(kind, data)
            outcome = codec.decode(RESPONSE_OF[kind], response)
        except HeadraceError as error:
            outcome = codec.decode_error(codec.encode_error(error))
        self._network.reply(call, answer, outcome)


class MemoryPeers:
    """A `rpc.api.Peers` in a `MemoryNetwork`."""

    def __init__(self, network: MemoryNetwork, name: str) -> None:
        self._network = network
        self._name = name
        self._closed = False
        self._waiting: dict[asyncio.Future[Any], str] = {}

    async def call(self, address: str, request: Any, *, timeout_s: float) -> Any:
        if self._closed:
            raise Unavailable("the connections to peers are closed")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._network.send(Call(self._name, address, request), answer)
        alarm = asyncio.create_task(self._network.clock.sleep(timeout_s))
        late = Unavailable(f"no answer from {address} within {timeout_s} s")
        alarm.add_done_callback(lambda _: _settle(answer, late))
        self._waiting[answer] = address
        try:
            outcome = await answer
        finally:
            del self._waiting[answer]
            alarm.cancel()
        if isinstance(outcome, HeadraceError):
            raise outcome
        return outcome

    async def close(self) -> None:
        self._closed = True
        for answer, address in self._waiting.items():
            _settle(answer, Unavailable(f"the connection to {address} was closed"))


def _raise(request: Any, error: Exception) -> None:
    raise error


def _settle(answer: "asyncio.Future[Any]", outcome: Any) -> None:
    """The first outcome counts; errors travel as values."""
    if not answer.done():
        answer.set_result(outcome)
