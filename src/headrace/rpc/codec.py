"""Messages as protobuf and back, by looking at the dataclasses.

**Owns** how a value of `rpc.messages` becomes `headrace.v1` bytes, and how an error does.
**Does not own** the messages, the schema file (`rpc.protofile`) or transport.

    int -> int64    bool -> bool    float -> double    str, StrEnum -> string
    bytes, Body -> bytes    tuple[X, ...] -> repeated    dataclass -> message
    dataclass | None -> message, absent = None

A class is looked at once; what it can not carry is a TypeError then. Long bodies are not given to
protobuf, which would copy them twice on either side: their fields are written behind the rest of
the message, which is the same message, since fields may come in any order; and when read, they are
views into the received bytes.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, Union, get_args, get_origin

from google.protobuf.message import DecodeError, Message

from headrace.gen import rpc_pb2
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
LONG_BODY_BYTES = 4096
MESSAGE_MAX_CHARS = 2000  # of an error: gRPC's metadata takes 8 KB


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field holds: `kind` is a scalar type, an enum or a dataclass."""

    kind: type
    repeated: bool = False
    optional: bool = False

    @property
    def is_message(self) -> bool:
        """Whether it is a message of its own."""
        return dataclasses.is_dataclass(self.kind)


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """An error on the wire: the name of its class and what the class holds."""

    kind: str
    message: str
    field: str = ""
    code: int = 0
    channel: str = ""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    number: int
    fill: Callable[[Message, Any], None]
    take: Callable[[Message], Any]
    is_body: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    wire: type[Message]
    fields: tuple[_Field, ...]
    bodies: dict[int, str]  # names of the fields that hold bodies, by number


def encode(value: Any) -> bytes:
    """The bytes of a message."""
    kind: type = type(value)
    plan = _plan(kind)
    message = plan.wire()
    late: list[Any] = []
    for field in plan.fields:
        item = getattr(value, field.name)
        if field.is_body and len(item) >= LONG_BODY_BYTES:
            late += [_varint(field.number << 3 | 2), _varint(memoryview(item).nbytes), item]
        else:
            field.fill(message, item)
    data = message.SerializeToString()
    return b"".join([data, *late]) if late else data


def decode(kind: type[T], data: bytes) -> T:
    """The message of these bytes; `Invalid` when they are none of this kind."""
    plan = _plan(kind)  # type: ignore[arg-type]
    try:
        bodies: dict[str, memoryview] = {}
        if plan.bodies and len(data) >= LONG_BODY_BYTES:
            data = _cut_out(plan, data, bodies)
        message = plan.wire.FromString(data)
        return _take(kind, plan, message, bodies)
    except (DecodeError, ValueError, IndexError) as error:
        raise Invalid(f"{len(data)} bytes are not a {kind.__name__}: {error}") from error


_KINDS: dict[str, type[HeadraceError]] = {
    kind.__name__: kind for kind in (Unavailable, Fenced, Conflict, Invalid, NotFound, Corrupt)
}


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


def shapes(kind: type) -> dict[str, Shape]:
    """The fields of a dataclass in the order of their numbers, from 1."""
    hints = typing.get_type_hints(kind)
    return {
        f.name: _shape(hints[f.name], f"{kind.__name__}.{f.name}") for f in dataclasses.fields(kind)
    }


def _shape(hint: Any, where: str) -> Shape:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint == bytes | memoryview:
        return Shape(bytes)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return Shape(_shape(arguments[0], where).kind, repeated=True)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        inner = _shape(next(a for a in arguments if a is not type(None)), where)
        if inner.is_message and not inner.repeated:
            return Shape(inner.kind, optional=True)
    elif isinstance(hint, type) and (
        hint in (int, bool, float, str, bytes)
        or issubclass(hint, StrEnum)
        or dataclasses.is_dataclass(hint)
    ):
        return Shape(hint)
    raise TypeError(f"{where}: {hint} can not be carried by protobuf")


@cache
def _plan(kind: type) -> _Plan:
    body = bytes | memoryview
    hints = typing.get_type_hints(kind)
    fields = []
    for number, (name, shape) in enumerate(shapes(kind).items(), start=1):
        fill, take = _converters(name, shape)
        fields.append(_Field(name, number, fill, take, hints[name] == body))
    bodies = {field.number: field.name for field in fields if field.is_body}
    return _Plan(getattr(rpc_pb2, kind.__name__), tuple(fields), bodies)


def _take(
    kind: type[T],
    plan: _Plan,
    message: Message,
    bodies: Mapping[str, memoryview] = MappingProxyType({}),
) -> T:
    values = {field.name: field.take(message) for field in plan.fields}
    return kind(**{**values, **bodies})


def _fill(message: Message, value: Any) -> None:
    kind: type = type(value)
    for field in _plan(kind).fields:
        field.fill(message, getattr(value, field.name))


def _converters(
    name: str, shape: Shape
) -> tuple[Callable[[Message, Any], None], Callable[[Message], Any]]:
    kind = shape.kind

    def fill_messages(message: Message, value: Any) -> None:
        items = getattr(message, name)
        for item in value:
            _fill(items.add(), item)

    def fill_message(message: Message, value: Any) -> None:
        if value is not None:
            inner = getattr(message, name)
            inner.SetInParent()
            _fill(inner, value)

    def take_messages(message: Message) -> Any:
        plan = _plan(kind)
        return tuple(_take(kind, plan, item) for item in getattr(message, name))

    def take_message(message: Message) -> Any:
        if shape.optional and not message.HasField(name):
            return None
        return _take(kind, _plan(kind), getattr(message, name))

    def fill_scalars(message: Message, value: Any) -> None:
        getattr(message, name).extend(value)

    def take_scalars(message: Message) -> Any:
        return tuple(map(kind, getattr(message, name)))

    def fill_scalar(message: Message, value: Any) -> None:
        setattr(message, name, bytes(value) if kind is bytes else value)

    def take_scalar(message: Message) -> Any:
        return kind(getattr(message, name))

    if shape.is_message:
        return (fill_messages, take_messages) if shape.repeated else (fill_message, take_message)
    return (fill_scalars, take_scalars) if shape.repeated else (fill_scalar, take_scalar)


def _cut_out(plan: _Plan, data: bytes, bodies: dict[str, memoryview]) -> bytes:
    """Put views of long bodies into `bodies`; the message without them.

    Walks the fields of the message (protobuf.dev/programming-guides/encoding); what does not look
    like a message is left to protobuf to refuse.
    """
    view = memoryview(data)
    rest: list[memoryview] = []
    kept = place = 0
    while place < len(data):
        start = place
        tag, place = _read_varint(data, place)
        wire_type = tag & 7
        if wire_type == 0:
            _, place = _read_varint(data, place)
        elif wire_type == 2:
            length, place = _read_varint(data, place)
            name = plan.bodies.get(tag >> 3)
            if name is not None and length >= LONG_BODY_BYTES and place + length <= len(data):
                bodies[name] = view[place : place + length]
                rest.append(view[kept:start])
                kept = place + length
            place += length
        elif wire_type in (1, 5):
            place += 8 if wire_type == 1 else 4
        else:
            break
    return b"".join([*rest, view[kept:]])


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins there, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
