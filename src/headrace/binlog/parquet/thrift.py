"""Thrift's compact protocol, as far as Parquet's footers and page headers need it.

Fields of a struct that PyArrow made are handed out as the bytes that they are encoded in, so that
parts of one footer become parts of another without being understood. Source: the Thrift compact
protocol's specification.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from headrace.model.errors import Corrupt

_NUMBER_BITS_MOST = 64
_DEPTH_MOST = 16  # Parquet has 5, and what is not Parquet shall not exhaust the stack


class Kind(IntEnum):
    """The type of a value. Booleans are a type each and have no bytes of their own in a struct."""

    TRUE = 1
    FALSE = 2
    BYTE = 3
    I16 = 4
    I32 = 5
    I64 = 6
    DOUBLE = 7
    BINARY = 8
    LIST = 9
    SET = 10
    MAP = 11
    STRUCT = 12


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it is encoded."""

    kind: Kind
    data: bytes


# ---- making ------------------------------------------------------------------------------------


def unsigned(number: int) -> bytes:
    """A number that is not negative, 7 bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _signed(number: int) -> bytes:
    return unsigned(number << 1 if number >= 0 else (-number << 1) - 1)


def i32(number: int) -> Value:
    """A number of 32 bits."""
    return Value(Kind.I32, _signed(number))


def i64(number: int) -> Value:
    """A number of 64 bits."""
    return Value(Kind.I64, _signed(number))


def text(value: str) -> Value:
    """A string."""
    data = value.encode()
    return Value(Kind.BINARY, unsigned(len(data)) + data)


def struct(fields: Mapping[int, Value]) -> Value:
    """A struct of these fields by their numbers."""
    out = bytearray()
    last = 0
    for number, value in sorted(fields.items()):
        if number - last <= 15:
            out.append((number - last) << 4 | value.kind)
        else:
            out.append(value.kind)
            out += _signed(number)
        out += value.data
        last = number
    out.append(0)
    return Value(Kind.STRUCT, bytes(out))


def listed(items: Sequence[Value]) -> Value:
    """A list of values of one kind, at least one."""
    kind, count = items[0].kind, len(items)
    head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + unsigned(count)
    return Value(Kind.LIST, head + b"".join(i.data for i in items))


# ---- finding -----------------------------------------------------------------------------------


def fields_of(data: bytes) -> dict[int, Value]:
    """The fields of a struct by their numbers; `Corrupt` when the bytes are none."""
    return fields_and_end(data)[0]


def fields_and_end(data: bytes) -> tuple[dict[int, Value], int]:
    """The fields of the struct at the beginning of the bytes, and how many of them it has."""
    fields, last = {}, 0
    for number, kind, start, end in _walk(data, 0):
        fields[number] = Value(kind, data[start:end])
        last = end
    return fields, last + 1


def items_of(value: Value) -> list[Value]:
    """The values of a list."""
    kind, count, place = _list_head(value.data, 0)
    items = []
    for _ in range(count):
        end = _end_of(value.data, place, kind, 0, in_list=True)
        items.append(Value(kind, value.data[place:end]))
        place = end
    return items


def number_of(value: Value) -> int:
    """The number that an i16, i32 or i64 is."""
    raw, _ = _read_unsigned(value.data, 0)
    return -(raw >> 1) - 1 if raw & 1 else raw >> 1


def _walk(data: bytes, place: int, depth: int = 0) -> Iterator[tuple[int, Kind, int, int]]:
    """Number, kind, first byte and end of each field of the struct at `place`."""
    last = 0
    while (head := _byte(data, place)) != 0:
        place += 1
        kind = _kind(head & 0x0F)
        if head >> 4:
            last += head >> 4
        else:
            raw, place = _read_unsigned(data, place)
            last = -(raw >> 1) - 1 if raw & 1 else raw >> 1
        end = _end_of(data, place, kind, depth)
        yield last, kind, place, end
        place = end


def _end_of(data: bytes, place: int, kind: Kind, depth: int, *, in_list: bool = False) -> int:
    """Where the value at `place` ends; `Corrupt` when that is behind the end of all."""
    if depth > _DEPTH_MOST:
        raise Corrupt("values of Thrift within each other, deeper than Parquet has them")
    match kind:
        case Kind.TRUE | Kind.FALSE:
            place += in_list
        case Kind.BYTE:
            place += 1
        case Kind.I16 | Kind.I32 | Kind.I64:
            place = _read_unsigned(data, place)[1]
        case Kind.DOUBLE:
            place += 8
        case Kind.BINARY:
            length, place = _read_unsigned(data, place)
            place += length
        case Kind.LIST | Kind.SET:
            item, count, place = _list_head(data, place)
            for _ in range(count):
                place = _end_of(data, place, item, depth + 1, in_list=True)
        case Kind.STRUCT:
            ends = [end for _, _, _, end in _walk(data, place, depth + 1)]
            place = (ends[-1] if ends else place) + 1
        case Kind.MAP:
            raise Corrupt("Parquet has no maps in its footers")
    if place > len(data):
        raise Corrupt("a value of Thrift is cut short")
    return place


def _list_head(data: bytes, place: int) -> tuple[Kind, int, int]:
    head = _byte(data, place)
    count, place = head >> 4, place + 1
    if count == 15:
        count, place = _read_unsigned(data, place)
    return _kind(head & 0x0F), count, place


def _read_unsigned(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = _byte(data, place)
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
        if shift > _NUMBER_BITS_MOST:
            raise Corrupt("a number of Thrift has more than 64 bits")


def _byte(data: bytes, place: int) -> int:
    if place >= len(data):
        raise Corrupt("a struct of Thrift is cut short")
    return data[place]


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError as error:
        raise Corrupt(f"Thrift has no type {number}") from error
