"""Peers over gRPC: one channel an address, one generic handler, bytes in and out.

A failover begins with a refused connection, so that must be noticed at once and told apart from a
request that may have arrived. gRPC's own error says neither: it is that of the last attempt, and
new attempts wait. So before a call on a channel that is not connected we connect ourselves: refused
is `NotSent`. After that, every failure without an error of the peer's own is `Unavailable`.

A request that has arrived is handled to its end, whether or not the caller still waits.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc

from headrace.model.errors import (
    Conflict,
    Corrupt,
    Fenced,
    HeadraceError,
    Invalid,
    NotFound,
    Unavailable,
)
from headrace.rpc import codec
from headrace.rpc.answering import Answering
from headrace.rpc.api import Handler, NotSent
from headrace.rpc.messages import RESPONSE_OF
from headrace.runtime.host import Clock
from headrace.runtime.telemetry import Telemetry

SERVICE = "headrace.v1.Headrace"
ERROR_KEY = "headrace-error-bin"
MESSAGE_MAX_BYTES = 96 << 20
STOP_S = 1.0
PROBE_EVERY_S = 0.2

_LIMITS = [
    ("grpc.max_send_message_length", MESSAGE_MAX_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
]
_CHANNEL_OPTIONS = [
    *_LIMITS,
    ("grpc.enable_http_proxy", 0),  # a proxy of the environment is not for peers
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
_SERVER_OPTIONS = [
    *_LIMITS,
    ("grpc.so_reuseport", 0),  # a port in use is an error
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
]
_CODES: dict[type[HeadraceError], grpc.StatusCode] = {
    Fenced: grpc.StatusCode.FAILED_PRECONDITION,
    Conflict: grpc.StatusCode.ABORTED,
    Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Corrupt: grpc.StatusCode.DATA_LOSS,
}
_REQUESTS = {f"/{SERVICE}/{request.__name__}": request for request in RESPONSE_OF}


class GrpcPeers:
    """A `rpc.api.Peers`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._closed = False

    async def call(self, address: str, request: Any, *, timeout_s: float) -> Any:
        kind = type(request)
        data = codec.encode(request)
        until = self._clock.monotonic() + timeout_s
        channel = self._channel(address)
        try:
            await self._connected(channel, address, until)
        except NotSent:
            await self._drop(channel, address)
            raise
        call = channel.unary_unary(f"/{SERVICE}/{kind.__name__}", None, None)
        try:
            answer = await call(data, timeout=max(0.001, until - self._clock.monotonic()))
        except grpc.aio.AioRpcError as error:
            raise _error_of(error, address, kind.__name__) from None
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            # gRPC cancels the calls of a channel that is closed; that is not the caller's task.
            task = asyncio.current_task()
            if not (task and task.cancelling()):
                raise Unavailable(f"the connection to {address} was closed") from error
            raise
        return codec.decode(RESPONSE_OF[kind], answer)

    async def close(self) -> None:
        self._closed = True
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close(None)

    def _channel(self, address: str) -> grpc.aio.Channel:
        if self._closed:
            raise Unavailable("the connections to peers are closed")
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        return self._channels[address]

    async def _drop(self, channel: grpc.aio.Channel, address: str) -> None:
        """Processes that were restarted have other ports; a channel would try the old for ever."""
        if self._channels.get(address) is channel:
            del self._channels[address]
            await channel.close(None)

    async def _connected(self, channel: grpc.aio.Channel, address: str, until: float) -> None:
        pause_s = 0.001
        probe_at = 0.0
        while True:
            if self._closed:
                raise Unavailable("the connections to peers are closed")
            if self._channels.get(address) is not channel:
                raise NotSent(f"{address} refused the connection")  # of a call beside this one
            if channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
                return
            now = self._clock.monotonic()
            if now >= until:
                raise Unavailable(f"no connection to {address}")
            if now >= probe_at:
                await _probe(address, until - now)
                probe_at = now + PROBE_EVERY_S
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.05)


class GrpcServer:
    """A `rpc.api.Server`. `address` is what peers use; it differs from where it listens when that
    is a wildcard such as 0.0.0.0: then name the host in `public_host`."""

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_host: str = "",
    ) -> None:
        self._telemetry = telemetry
        self._host = host
        self._port = port
        self._public_host = public_host or host
        self._server: grpc.aio.Server | None = None
        self._under_way: dict[asyncio.Task[bytes], None] = {}

    @property
    def address(self) -> str:
        """Known once started."""
        assert self._port, "the port is known once the server is started"
        return f"{self._public_host}:{self._port}"

    async def start(self, handlers: Mapping[type, Handler]) -> None:
        assert self._server is None, "a server starts once"
        self._server = grpc.aio.server(options=_SERVER_OPTIONS)
        answering = Answering(handlers, self._failed)
        self._server.add_generic_rpc_handlers((_Generic(answering, self._under_way),))
        try:
            self._port = self._server.add_insecure_port(f"{self._host}:{self._port}")
        except RuntimeError as error:
            raise Invalid(
                f"can not listen at {self._host}:{self._port}: {error}", field="address"
            ) from error
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(STOP_S)
            for task in self._under_way:
                task.cancel()

    def _failed(self, request: Any, error: Exception) -> None:
        self._telemetry.log.error(
            "a handler failed", request=type(request).__name__, error=repr(error), exc_info=error
        )


class _Generic(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Finds what serves a method path."""

    def __init__(self, answering: Answering, under_way: dict[asyncio.Task[bytes], None]) -> None:
        self._answering = answering
        self._under_way = under_way

    def service(self, handler_call_details: Any) -> Any:
        """gRPC's name for it; None becomes UNIMPLEMENTED."""
        kind = _REQUESTS.get(handler_call_details.method)
        if kind is None:
            return None

        async def serve(data: bytes, context: Any) -> bytes:
            # A task of its own: gRPC cancels `serve` when the caller gives up.
            task = asyncio.create_task(self._answering.answer(kind, data), name=kind.__name__)
            self._under_way[task] = None
            task.add_done_callback(self._finished)
            try:
                return await asyncio.shield(task)
            except HeadraceError as error:
                await context.abort(
                    _CODES.get(type(error), grpc.StatusCode.UNAVAILABLE),
                    error.message[: codec.MESSAGE_MAX_CHARS],
                    ((ERROR_KEY, codec.encode_error(error)),),
                )
                raise  # abort has raised

        return grpc.unary_unary_rpc_method_handler(serve)

    def _finished(self, task: asyncio.Task[bytes]) -> None:
        self._under_way.pop(task, None)
        if not task.cancelled():
            task.exception()  # a caller that has gone does not ask


async def _probe(address: str, timeout_s: float) -> None:
    """`NotSent` if nobody listens there, `Unavailable` if it can not be found out in time."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except ConnectionRefusedError as error:
        raise NotSent(f"{address} refused the connection") from error
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise Unavailable(f"no connection to {address}: {error!r}") from error
    writer.transport.abort()


def _error_of(error: grpc.aio.AioRpcError, address: str, method: str) -> HeadraceError:
    metadata: Any = error.trailing_metadata()  # pairs, or None
    for key, value in metadata or ():
        if key == ERROR_KEY:
            return codec.decode_error(value)
    text = f"{method} to {address}: {error.code().name}: {error.details()}"
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Invalid(f"{text} (a message has at most {MESSAGE_MAX_BYTES} bytes)")
    return Unavailable(text)
