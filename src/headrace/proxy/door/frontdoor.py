"""The gRPC server of the front door: the socket, and each call's bytes, deadline and headers.

One generic handler serves every method of `MilvusService`, so that `methods` parses a message once
and can refuse it in words.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeAlias

import grpc
import grpc.aio

from headrace.model.errors import Invalid
from headrace.proxy.call import ClientCall
from headrace.proxy.door.methods import Methods
from headrace.proxy.door.unserved import WITHOUT_STATUS
from headrace.proxy.errors import Aborted
from headrace.proxy.milvus import SERVICE
from headrace.proxy.settings import ProxySettings
from headrace.runtime.host import Host
from headrace.runtime.telemetry import Telemetry

# Up to this multiple of the limit a request is still received, to be refused in a Status: what gRPC
# itself refuses surfaces in pymilvus as a raw gRPC error.
RECEIVED_BYTES_FACTOR = 2
STOP_S = 3.0  # for calls under way, so that their clients need not repeat them

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
if TYPE_CHECKING:
    Handlers = grpc.GenericRpcHandler[bytes, bytes]
else:
    Handlers = grpc.GenericRpcHandler  # generic in its stubs only


class FrontDoor:
    """Listens for clients from `start` to `stop`."""

    def __init__(
        self, methods: Methods, settings: ProxySettings, host: Host, telemetry: Telemetry
    ) -> None:
        self._methods = methods
        self._settings = settings
        self._host = host
        self._log = telemetry.log
        self._server: grpc.aio.Server | None = None
        self.address = ""

    async def start(self) -> None:
        """Begin to answer; `Invalid` naming the setting when the address can not be had."""
        received = self._settings.request_bytes_max * RECEIVED_BYTES_FACTOR
        server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", received),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                # pymilvus pings every 10 s, with or without a call.
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
                ("grpc.keepalive_permit_without_calls", 1),
            )
        )
        server.add_generic_rpc_handlers((_Handlers(self),))
        wanted = f"{self._settings.host}:{self._settings.port}"
        try:
            port = server.add_insecure_port(wanted)
        except RuntimeError as error:
            raise Invalid(
                f"proxy.port: the front door can not listen at {wanted}, perhaps another process "
                f"does: {error}",
                field="proxy.port",
            ) from error
        await server.start()
        self._server = server
        self.address = f"{self._settings.host}:{port}"

    async def stop(self) -> None:
        """Take no more calls, let those under way finish for 3 s, then close."""
        if self._server is not None:
            await self._server.stop(STOP_S)
            self._server = None

    async def call(self, method: str, data: bytes, context: Context) -> bytes:
        """One call from the wire."""
        seconds = self._settings.deadline_s_max
        given_s = context.time_remaining()
        if given_s is not None:
            seconds = min(seconds, max(0.0, given_s))
        headers = {
            key.lower(): value
            for key, value in context.invocation_metadata() or ()
            if isinstance(value, str)
        }
        call = ClientCall(
            method=method,
            clock=self._host.clock,
            deadline=self._host.clock.monotonic() + seconds,
            headers=headers,
            request=data,
        )
        try:
            return await self._methods.answer(data, call)
        except Aborted as error:
            await context.abort(grpc.StatusCode[error.transport.name], error.message)
        except Exception:
            # Our own mistake: it is logged and ends this call only.
            self._log.error("a call broke", method=method, exc_info=True)
            if method in WITHOUT_STATUS:
                raise
            return self._methods.broken(call)
        raise AssertionError("abort raises")


class _Handlers(Handlers):
    """Finds the one handler for every method of the service; others are unimplemented."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        service, _, name = handler_call_details.method.lstrip("/").partition("/")
        method = SERVICE.methods_by_name.get(name)
        if service != SERVICE.full_name or method is None or method.client_streaming:
            return None

        async def unary(data: bytes, context: Context) -> bytes:
            return await self._door.call(name, data, context)

        if method.server_streaming:

            async def stream(data: bytes, context: Context) -> AsyncIterator[bytes]:
                yield await self._door.call(name, data, context)

            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)
