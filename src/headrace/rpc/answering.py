"""What every server does with a request: bytes in, handler, bytes or an error out.

A handler that raises anything but an error of `model.errors` is a bug of ours: it is told to
`failed` (which logs it, or ends a simulation), the caller gets `Unavailable`, and the server keeps
serving the others.
"""

from collections.abc import Callable, Mapping
from typing import Any

from headrace.model.errors import HeadraceError, Unavailable
from headrace.rpc import codec
from headrace.rpc.api import Handler
from headrace.rpc.messages import RESPONSE_OF

Failed = Callable[[Any, Exception], None]


class Answering:
    """The handlers of one server."""

    def __init__(self, handlers: Mapping[type, Handler], failed: Failed) -> None:
        for request in handlers:
            assert request in RESPONSE_OF, f"{request.__name__} is not a request"
        self._handlers = dict(handlers)
        self._failed = failed

    async def answer(self, kind: type, data: bytes) -> bytes:
        """The bytes of the response to a request of this kind; raises only a `HeadraceError`."""
        handler = self._handlers.get(kind)
        if handler is None:
            raise Unavailable(f"{kind.__name__} is not served here")
        request: Any = codec.decode(kind, data)
        try:
            response = await handler(request)
            expected = RESPONSE_OF[kind]
            assert isinstance(response, expected), f"{response!r} is not a {expected.__name__}"
            return codec.encode(response)
        except HeadraceError:
            raise
        except Exception as error:
            self._failed(request, error)
            raise Unavailable(f"the handler of {kind.__name__} failed: {error!r}") from error
