"""Messages as msgpack and back, straight from the dataclasses.

A field is known by its name, an enum by its value. A body is copied once, into the bytes that are
sent, and is a view of the bytes where it is received. What a newer peer adds is ignored; what is
missing, wrong or cut short is `Invalid`. An error travels as `ErrorDetails`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import msgspec

from headrace.model.errors import (
    Conflict,
    Corrupt,
    Fenced,
    HeadraceError,
    Invalid,
    NotFound,
    Unavailable,
)

T = TypeVar("T")
MESSAGE_MAX_CHARS = 2000  # of an error: gRPC's metadata takes 8 KB
_ENCODER = msgspec.msgpack.Encoder()
_KINDS: dict[str, type[HeadraceError]] = {
    kind.__name__: kind for kind in (Unavailable, Fenced, Conflict, Invalid, NotFound, Corrupt)
}


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """An error on the wire: the name of its class and what the class holds."""

    kind: str
    message: str
    field: str = ""
    code: int = 0
    channel: str = ""


def encode(value: object) -> bytes:
    """The bytes of a message."""
    return _ENCODER.encode(value)


def decode(kind: type[T], data: bytes) -> T:
    """The message of these bytes; `Invalid` naming the kind when they are none."""
    try:
        return _decoder(kind).decode(data)  # type: ignore[arg-type, no-any-return]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{len(data)} bytes are not a {kind.__name__}: {error}") from error


def encode_error(error: HeadraceError) -> bytes:
    """The bytes of an error. One of a narrower class (`NotSent` is true only of the nearest hop)
    arrives as the class of `model.errors` that it belongs to."""
    kind = next(c.__name__ for c in (*type(error).__mro__, Unavailable) if c.__name__ in _KINDS)
    return encode(
        ErrorDetails(
            kind,
            error.message[:MESSAGE_MAX_CHARS],
            getattr(error, "field", ""),
            getattr(error, "code", 0),
            getattr(error, "channel", ""),
        )
    )


def decode_error(data: bytes) -> HeadraceError:
    """The error of these bytes; `Unavailable` when a newer peer sent a kind unknown here."""
    details = decode(ErrorDetails, data)
    kind = _KINDS.get(details.kind, Unavailable)
    if issubclass(kind, Invalid):
        return kind(details.message, field=details.field, code=details.code)
    if issubclass(kind, Corrupt):
        return kind(details.message, channel=details.channel)
    return kind(details.message)


@cache
def _decoder(kind: type) -> Any:
    return msgspec.msgpack.Decoder(kind)
