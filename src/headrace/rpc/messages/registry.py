"""Which response answers a request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

RESPONSE_OF: dict[type, type] = {}

C = TypeVar("C", bound=type)


def answered_by(response: type) -> Callable[[C], C]:
    """Class decorator: names the response of a request."""

    def register(request: C) -> C:
        RESPONSE_OF[request] = response
        return request

    return register


@dataclass(frozen=True, slots=True)
class Done:
    """It is done (now, or it already was)."""
