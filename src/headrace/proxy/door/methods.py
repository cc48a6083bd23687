"""The methods of the front door: bytes of a request in, bytes of its answer out, no transport.

Every call is treated in the same way: the token, the size, the message, fields that are not served,
the database; then the method; then errors become a Status in the method's own answer.
"""

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from headrace.model.errors import HeadraceError, Invalid, Unavailable
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import check_database
from headrace.proxy.door.served_fields import refuse_unserved
from headrace.proxy.door.unserved import INSTEAD, WITHOUT_STATUS
from headrace.proxy.errors import Aborted, Ending, Refusal, Transport, status_of
from headrace.proxy.milvus import SERVICE, Message, parse
from headrace.proxy.settings import ProxySettings
from headrace.runtime.telemetry import Telemetry

Method = Callable[[Message, ClientCall], Awaitable[Message]]

DATABASE_HEADER = "dbname"
TOKEN_HEADER = "authorization"


class Methods:
    """Answers calls of `milvus.proto.milvus.MilvusService`."""

    def __init__(
        self, served: Mapping[str, Method], settings: ProxySettings, telemetry: Telemetry
    ) -> None:
        self._served = served
        self._settings = settings
        self._log = telemetry.log
        self._calls = telemetry.counter(
            "proxy_calls_total", "Calls of clients by method and outcome", ("method", "outcome")
        )
        self._seconds = telemetry.histogram(
            "proxy_call_seconds", "From a call's bytes to its answer's, by method", ("method",)
        )
        self._under_way_bytes = 0
        self._token = base64.b64encode(settings.token.encode()).decode()

    async def answer(self, data: bytes, call: ClientCall) -> bytes:
        """The answer to a request as it came; `Aborted` where only a gRPC status will do."""
        method = SERVICE.methods_by_name[call.method]
        self._under_way_bytes += len(data)
        began = call.clock.monotonic()
        try:
            answer = await self._answer(method, data, call)
        except HeadraceError as error:
            if isinstance(error, Unavailable):
                self._count(call, Transport.UNAVAILABLE.value)
                raise Ending.AGAIN(reason=error.message) from error
            answer = _with_status(method, status_of(self._refusal(call, error)))
        except Aborted as error:
            self._count(call, error.transport.value)
            raise
        else:
            self._count(call, "done")
        finally:
            self._under_way_bytes -= len(data)
            self._seconds.labels(call.method).observe(call.clock.monotonic() - began)
        return bytes(answer.SerializeToString())

    def broken(self, call: ClientCall) -> bytes:
        """The answer to a call on which we broke: no part of our own trouble reaches the client."""
        self._count(call, "broken")
        method = SERVICE.methods_by_name[call.method]
        answer = _with_status(method, status_of(Refusal.BROKEN()))
        return bytes(answer.SerializeToString())

    def _refusal(self, call: ClientCall, error: HeadraceError) -> Invalid:
        """What the client is told. A failure that is not its mistake is logged here, too."""
        if isinstance(error, Invalid):
            self._count(call, "refused")
            return error
        self._count(call, "failed")
        self._log.error("a call failed", method=call.method, error=error.message)
        return Refusal.FAILED(reason=error.message)

    async def _answer(self, method: Any, data: bytes, call: ClientCall) -> Message:
        self._check_token(call)
        limit, most = self._settings.request_bytes_max, self._settings.under_way_bytes_max
        if self._under_way_bytes > most and self._under_way_bytes != len(data):
            # pymilvus repeats this by itself, after a pause.
            raise Refusal.BUSY(under_way=self._under_way_bytes, most=most)
        if len(data) > limit:
            raise Refusal.TOO_LARGE(size=len(data), limit=limit)
        handler = self._served.get(method.name)
        if handler is None:
            kind = Ending.NO_METHOD if method.name in WITHOUT_STATUS else Refusal.NOT_SERVED
            raise kind(method=method.name, instead=INSTEAD[method.name])
        request = parse(GetMessageClass(method.input_type), data)
        refuse_unserved(request)
        names = [getattr(request, n, "") for n in ("db_name", "dbName")]
        check_database(*names, call.headers.get(DATABASE_HEADER, ""))
        return await handler(request, call)

    def _check_token(self, call: ClientCall) -> None:
        given = call.headers.get(TOKEN_HEADER, "")
        if self._settings.token and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise Ending.TOKEN_WRONG()

    def _count(self, call: ClientCall, outcome: str) -> None:
        self._calls.labels(call.method, outcome).inc()


def _with_status(method: Any, status: Message) -> Message:
    """An answer of the method's own type that holds nothing but the Status."""
    if method.output_type.full_name == status.DESCRIPTOR.full_name:
        return status
    return GetMessageClass(method.output_type)(status=status)
