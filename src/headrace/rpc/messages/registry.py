"""Requests are frozen dataclasses that know which response answers them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast, dataclass_transform

RESPONSE_OF: dict[type, type] = {}

C = TypeVar("C", bound=type)


@dataclass_transform(frozen_default=True)
def answered_by(response: type, *, kw_only: bool = False) -> Callable[[C], C]:
    """Class decorator: a frozen dataclass that this response answers."""

    def register(request: C) -> C:
        made = dataclass(frozen=True, slots=True, kw_only=kw_only)(cast("Any", request))
        RESPONSE_OF[made] = response
        return cast("C", made)

    return register


@dataclass(frozen=True, slots=True)
class Done:
    """It is done (now, or it already was)."""
