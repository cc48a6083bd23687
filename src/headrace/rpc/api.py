"""The port between the roles: one request, one response, at an address.

Requests and responses are frozen dataclasses of `rpc.messages`; the adapter carries them as the
bytes of `rpc.codec`. An error raised by a handler (`Unavailable`, `Fenced`, `Conflict`,
`Invalid`, `Corrupt`) is raised again at the caller with its message. A caller may not know whether
its request arrived: `Unavailable` says so, `NotSent` (a kind of it) that it surely did not.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from headrace.model.errors import Unavailable

Handler: TypeAlias = Callable[[Any], Awaitable[Any]]


class NotSent(Unavailable):
    """The connection was refused: the request did not reach the peer."""


class Peers(Protocol):
    """Calls to other processes."""

    async def call(self, address: str, request: Any, *, timeout_s: float) -> Any:
        """Send to the role at `address` (`host:port`), return the response.

        `NotSent`, `Unavailable` (also after `timeout_s`), or what the handler raised.
        """
        ...

    async def close(self) -> None:
        """Give all connections back."""
        ...


class Server(Protocol):
    """Where a role answers."""

    @property
    def address(self) -> str:
        """`host:port` that peers use."""
        ...

    async def start(self, handlers: Mapping[type, Handler]) -> None:
        """Begin to answer: request type -> coroutine function. `Invalid` when it can not listen
        there. A handler goes on to its end even when its caller has given up."""
        ...

    async def stop(self) -> None:
        """Finish the calls under way within a second, then close."""
        ...
