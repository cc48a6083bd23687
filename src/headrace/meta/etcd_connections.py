"""Connections to the members of an etcd cluster: channels, TLS, tokens, deadlines and errors.

A request goes out only on a channel that is connected, so that a member that is down costs no
transaction its outcome. A member that fails or does not answer in time is no longer the first
choice. A request that may be repeated is tried once at each member.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from headrace.gen import etcd_pb2 as pb
from headrace.meta.api import Compacted
from headrace.model.errors import HeadraceError, Invalid, NotFound, Unavailable
from headrace.runtime.host import Clock

R = TypeVar("R", bound=Message)

CONNECT_S = 1.0
_POLL_MOST_S = 0.05
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),  # a range or a watch may bring much at once
    ("grpc.max_send_message_length", -1),  # etcd has its own limit and says so
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # no connection is shared with another client
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 6_000),  # etcd forbids more than one in 5 s
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
]
# Asked for on streams: a member that has lost the cluster ends them instead of staying silent.
_REQUIRE_LEADER = ("hasleader", "true")
_STALE_TOKEN = ("invalid auth token", "revision of auth store is old")


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdAccess:
    """Where the members are and who asks. Files are PEM; `ca_file` turns TLS on."""

    endpoints: tuple[str, ...]  # host:port
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __post_init__(self) -> None:
        """`Invalid` names what does not fit together."""
        if not self.endpoints:
            raise Invalid("no etcd endpoint is given", field="etcd.endpoints")
        for endpoint in self.endpoints:
            if not endpoint.rpartition(":")[2].isdigit() or "/" in endpoint:
                raise Invalid(f"{endpoint!r} is not host:port", field="etcd.endpoints")
        if bool(self.cert_file) != bool(self.key_file) or (self.cert_file and not self.ca_file):
            raise Invalid("cert_file, key_file and ca_file belong together", field="etcd.cert_file")


class EtcdConnections:
    """One channel a member. Any number of calls at once."""

    def __init__(self, access: EtcdAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._channels: tuple[grpc.aio.Channel, ...] = ()
        self._current = 0
        self._token = ""
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    async def ask(
        self, method: str, request: Message, response: type[R], *, timeout_s: float, repeat: bool
    ) -> R:
        """One request, one response. `repeat`: it may be done twice, so another member is tried.

        `Unavailable`: the outcome is unknown. Other errors say that nothing was done.
        """
        tries = len(self._access.endpoints) if repeat else 1
        may_refresh = True
        while True:
            number, channel, metadata = await self._connected()
            call = channel.unary_unary(method, type(request).SerializeToString, response.FromString)
            try:
                answer: R = await call(request, timeout=timeout_s, metadata=metadata)
                return answer
            except grpc.aio.AioRpcError as error:
                if self._forget_token(error, metadata) and may_refresh:
                    may_refresh = False
                    continue
                failure = error_of(error, method)
                tries -= 1
                if isinstance(failure, Unavailable):
                    self._leave(number)
                    if tries > 0:
                        continue
                raise failure from error
            except (asyncio.CancelledError, grpc.aio.UsageError) as error:
                _raise_if_closed(error)
                raise

    async def stream(
        self, method: str, request: Message, response: type[R], *, timeout_s: float | None
    ) -> AsyncGenerator[R, None]:
        """One request, a stream of responses until the server or the reader ends it.

        `Unavailable` when it breaks; then another member is the first choice.
        """
        number, channel, metadata = await self._connected()
        stub: Any = channel.stream_stream(
            method, type(request).SerializeToString, response.FromString
        )
        call = stub(timeout=timeout_s, metadata=(*metadata, _REQUIRE_LEADER))
        try:
            await call.write(request)
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            if not self._forget_token(error, metadata):
                self._leave(number)
            raise error_of(error, method) from error
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            _raise_if_closed(error)
            raise
        finally:
            call.cancel()

    async def close(self) -> None:
        """Close all channels; calls under way become `Unavailable`."""
        self._closed = True
        for channel in self._channels:
            await channel.close(None)

    # ---- inside ------------------------------------------------------------------------------

    async def _connected(self) -> tuple[int, grpc.aio.Channel, tuple[tuple[str, str], ...]]:
        """A channel that is connected, the preferred member's if it can be, and its metadata."""
        number, channel = await self._ready()
        if self._access.user and not self._token:
            self._token = await self._authenticate(number, channel)
        return number, channel, (("token", self._token),) if self._token else ()

    async def _ready(self) -> tuple[int, grpc.aio.Channel]:
        if not self._channels and not self._closed:
            self._channels = tuple(self._open(e) for e in self._access.endpoints)
        until = self._clock.monotonic() + CONNECT_S
        pause_s = 0.001
        while not self._closed:
            count = len(self._channels)
            for number in (n % count for n in range(self._current, self._current + count)):
                channel = self._channels[number]
                state = channel.get_state(try_to_connect=True)
                if state is grpc.ChannelConnectivity.READY:
                    self._current = number
                    return number, channel
            if self._clock.monotonic() >= until:
                raise Unavailable(f"no etcd at {', '.join(self._access.endpoints)}")
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _POLL_MOST_S)
        raise Unavailable("the client of etcd is closed")

    def _open(self, endpoint: str) -> grpc.aio.Channel:
        access = self._access
        if not access.ca_file:
            return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
        credentials = grpc.ssl_channel_credentials(
            _pem(access.ca_file),
            _pem(access.key_file) if access.key_file else None,
            _pem(access.cert_file) if access.cert_file else None,
        )
        return grpc.aio.secure_channel(endpoint, credentials, options=_OPTIONS)

    def _leave(self, number: int) -> None:
        """Prefer the next member, unless another call has moved on already."""
        if self._current == number:
            self._current = (number + 1) % len(self._channels)

    async def _authenticate(self, number: int, channel: grpc.aio.Channel) -> str:
        method = "/etcdserverpb.Auth/Authenticate"
        call = channel.unary_unary(
            method,
            pb.AuthenticateRequest.SerializeToString,
            pb.AuthenticateResponse.FromString,
        )
        request = pb.AuthenticateRequest(name=self._access.user, password=self._access.password)
        try:
            answer: Any = await call(request, timeout=CONNECT_S)
        except grpc.aio.AioRpcError as error:
            self._leave(number)
            raise error_of(error, method) from error
        return str(answer.token)

    def _forget_token(self, error: grpc.aio.AioRpcError, used: Sequence[tuple[str, str]]) -> bool:
        """Whether etcd refused the token (nothing was done); the next call gets a new one."""
        details = error.details() or ""
        if not used or not any(text in details for text in _STALE_TOKEN):
            return False
        if self._token == used[0][1]:
            self._token = ""
        return True


def error_of(error: grpc.aio.AioRpcError, method: str) -> HeadraceError | Compacted:
    """What an error of etcd asks its caller to do; the texts are etcd's."""
    code, details = error.code(), error.details() or ""
    text = f"etcd {method.rpartition('/')[2]}: {code.name}: {details}"
    if "required revision has been compacted" in details:
        return Compacted(0)
    if "requested lease not found" in details:
        return NotFound(text, field="lease")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
        return Invalid(text)
    if code in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,  # a user is given, but the server asks for none
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    ):
        return Invalid(text, field="etcd")
    return Unavailable(text)


def _raise_if_closed(error: BaseException) -> None:
    """gRPC cancels the calls of a channel that is closed; that is not the caller's task."""
    task = asyncio.current_task()
    if not (task and task.cancelling()):
        raise Unavailable("the connection to etcd was closed") from error


def _pem(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Invalid(f"{path} can not be read: {error.strerror}", field="etcd") from error
