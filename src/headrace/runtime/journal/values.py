"""What a journal keeps of the values that pass through a machine, and how they become text.

`keep` is called for every step, so it costs about a microsecond: a frozen value that holds neither
rows nor anything mutable is kept as it is, which is found out once for each class from its
annotations. Rows are replaced by an `Elided` that has their length, so that a machine may still be
replayed; mutable containers are copied; an error is kept without its traceback, whose frames would
hold the rows. What cannot be kept, such as a function, becomes an `Opaque`.

How many values a step is made of is counted first, up to a limit (`is_larger`): one event may bring
thousands of entries, and a journal that kept them all would hold more than the machine does.

`pack` turns a kept value into JSON and `unpack` back into the value, of the same types.
"""

import dataclasses
import importlib
import math
import types
import typing
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from operator import attrgetter, is_
from typing import Any

WHOLE_MOST = 256  # bytes that are kept whole: ids, hashes, small records, never rows
_END = 64  # bytes at each end of a body that its checksum covers
_WHOLE_FIELDS = frozenset({"schema"})  # kept whole at any size: machines look into them
_ATOMS = (int, str, float, bool, type(None))


class Elided:
    """Stands for bytes that are not kept. The checksum covers both ends: it tells bodies apart
    at a cost that does not grow with them, and proves nothing about what is between."""

    __slots__ = ("checksum", "length")  # a frozen dataclass takes four times as long to make

    def __init__(self, length: int, checksum: int) -> None:
        self.length = length
        self.checksum = checksum

    def __len__(self) -> int:
        """Of the bytes that it stands for; all that a machine asks of a body."""
        return self.length

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Elided):
            return NotImplemented
        return (self.length, self.checksum) == (other.length, other.checksum)

    def __hash__(self) -> int:
        return hash((self.length, self.checksum))

    def __repr__(self) -> str:
        return f"<{self.length} bytes, ends {self.checksum:08x}>"


@dataclass(frozen=True, slots=True)
class Opaque:
    """Stands for a value that is no value: a function, a handle."""

    kind: str

    def __repr__(self) -> str:
        return f"<{self.kind}>"


Keeper = Callable[[Any], Any]

# ---- keeping -------------------------------------------------------------------------------------


def keep(value: Any) -> Any:
    """`value` itself where it cannot change and holds no rows, else a copy that is so."""
    kind: Any = type(value)
    return _keeper_of(kind)(value)


@cache
def _keeper_of(kind: Any) -> Keeper:
    if issubclass(kind, _ATOMS) or issubclass(kind, Enum) or kind in (Elided, Opaque):
        return lambda value: value
    for family, keeper in (
        (bytes | bytearray | memoryview, _keep_bytes),
        (tuple, _keep_tuple),
        (list, lambda value: [keep(item) for item in value]),
        (set | frozenset, lambda value: kind(map(keep, value))),
        (Mapping, lambda value: {keep(key): keep(item) for key, item in value.items()}),
        (BaseException, _keep_error),
    ):
        if issubclass(kind, family):
            return keeper
    if dataclasses.is_dataclass(kind) or fields_of(kind):
        return _object_keeper(kind)
    return lambda value: Opaque(getattr(value, "__qualname__", kind.__qualname__))


def _keep_bytes(value: bytes | bytearray | memoryview) -> bytes | Elided:
    length = len(value)
    if length > WHOLE_MOST:
        return Elided(length, zlib.crc32(value[-_END:], zlib.crc32(value[:_END])))
    # A small view is copied, since it would keep alive all that it is a view of.
    return value if type(value) is bytes else bytes(value)


def _keep_tuple(value: tuple[Any, ...]) -> tuple[Any, ...]:
    kept = tuple(map(keep, value))
    return value if all(map(is_, kept, value)) else kept


def _keep_error(value: BaseException) -> BaseException:
    kind: Any = type(value)
    kept: BaseException = kind.__new__(kind, *map(keep, value.args))
    kept.__dict__.update({k: keep(v) for k, v in value.__dict__.items() if k != "__notes__"})
    return kept


def _object_keeper(kind: Any) -> Keeper:
    names, doubtful, frozen = fields_of(kind), _doubtful(kind), _is_frozen(kind)
    if frozen and not doubtful:
        return lambda value: value
    get_all = attrgetter(*names, names[0])  # with one name alone it would give no tuple
    doubts = [(names.index(name), attrgetter(name)) for name in doubtful]

    def keep_object(value: Any) -> Any:
        changed: list[tuple[int, Any]] = []
        for place, get in doubts:
            old = get(value)
            new = keep(old)
            if new is not old:
                changed.append((place, new))
        if frozen and not changed:
            return value
        values = list(get_all(value))
        for place, item in changed:
            values[place] = item
        return make(kind, values)

    return keep_object


def make(kind: Any, values: Iterable[Any]) -> Any:
    """An object of a class with these values of its fields, past its constructor and checks."""
    made = kind.__new__(kind)
    for put, value in zip(_setters(kind), values, strict=False):
        put(made, value)
    return made


@cache
def _setters(kind: Any) -> tuple[Callable[[Any, Any], None], ...]:
    """Slots have setters of their own, which are much faster than `object.__setattr__`."""

    def setter(name: str) -> Callable[[Any, Any], None]:
        slot: Any = getattr(kind, name, None)
        if type(slot) is types.MemberDescriptorType and dataclasses.is_dataclass(kind):
            put: Callable[[Any, Any], None] = slot.__set__
            return put
        return lambda made, value: object.__setattr__(made, name, value)

    return tuple(map(setter, fields_of(kind)))


@cache
def fields_of(kind: Any) -> tuple[str, ...]:
    """The names of the fields of a dataclass or a msgspec struct; none of other classes."""
    if dataclasses.is_dataclass(kind):
        return tuple(f.name for f in dataclasses.fields(kind))
    return tuple(getattr(kind, "__struct_fields__", ()))


def _is_frozen(kind: Any) -> bool:
    params = getattr(kind, "__dataclass_params__", None) or getattr(kind, "__struct_config__", None)
    return bool(params and params.frozen)


@cache
def _doubtful(kind: Any) -> tuple[str, ...]:
    """The fields that may hold rows, or what changes."""
    try:
        hints = typing.get_type_hints(kind)
    except NameError:  # an annotation that only type checkers can resolve
        hints = {}
    return tuple(
        name
        for name in fields_of(kind)
        if name not in _WHOLE_FIELDS and not _is_plain(hints.get(name), (kind,))
    )


def _is_plain(hint: Any, within: tuple[type, ...]) -> bool:
    hint = getattr(hint, "__supertype__", hint)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return True
    if origin in (tuple, frozenset, typing.Union, types.UnionType):
        return all(a is Ellipsis or _is_plain(a, within) for a in typing.get_args(hint))
    if not isinstance(hint, type) or origin is not None:
        return False
    if issubclass(hint, _ATOMS) or issubclass(hint, Enum):
        return True
    return _is_plain_class(hint, within)


def _is_plain_class(kind: Any, within: tuple[type, ...]) -> bool:
    known = kind not in within and bool(fields_of(kind))
    return known and _is_frozen(kind) and not _doubtful(kind)


# ---- counting ------------------------------------------------------------------------------------


def is_larger(value: Any, most: int) -> bool:
    """Whether it is made of more than `most` values. Counting ends there, and a class whose fields
    hold no containers counts as one, so it costs next to nothing for most events."""
    return _left(value, most) < 0


def _left(value: Any, left: int) -> int:
    kind: Any = type(value)
    if kind in _ATOMS or left < 0:
        return left - 1
    if isinstance(value, tuple | list | set | frozenset | Mapping):
        if len(value) > left:
            return -1
        items = value.values() if isinstance(value, Mapping) else value
        for item in items:
            left = _left(item, left)
        return left - 1
    for get in _growing(kind):
        left = _left(get(value), left)
    return left - 1


@cache
def _growing(kind: Any) -> tuple[Callable[[Any], Any], ...]:
    """Getters of the fields that may hold any number of values."""
    try:
        hints = typing.get_type_hints(kind) if fields_of(kind) else {}
    except NameError:
        hints = {}
    return tuple(
        attrgetter(name) for name in fields_of(kind) if _may_grow(hints.get(name), (kind,))
    )


def _may_grow(hint: Any, within: tuple[type, ...]) -> bool:
    hint = getattr(hint, "__supertype__", hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_may_grow(a, within) for a in typing.get_args(hint))
    if not isinstance(hint, type) or origin is not None:
        return origin is not typing.Literal
    if issubclass(hint, (*_ATOMS, Enum, bytes, bytearray, memoryview)):
        return False
    kind: Any = hint
    known = kind not in within and bool(fields_of(kind))
    return not known or bool(_growing(kind))


# ---- text ----------------------------------------------------------------------------------------


def pack(value: Any) -> Any:
    """A kept value as what JSON can say: atoms as they are, others as a list that begins with a
    letter for its kind."""
    kind: Any = type(value)
    if kind is float and not math.isfinite(value):
        return ["n", repr(value)]
    if kind in _ATOMS:
        return value
    if isinstance(value, Enum):
        return ["e", path_of(kind), value.value]
    if isinstance(value, bytes):
        return ["b", value.hex()]
    if isinstance(value, Elided):
        return ["r", value.length, value.checksum]
    if isinstance(value, Opaque):
        return ["?", value.kind]
    for letter, family in (("t", tuple), ("l", list)):
        if isinstance(value, family):
            return [letter, *map(pack, value)]
    if isinstance(value, set | frozenset):
        return ["s" if kind is set else "f", *sorted(map(pack, value), key=repr)]
    if isinstance(value, dict):
        return ["d", *([pack(key), pack(item)] for key, item in value.items())]
    if isinstance(value, BaseException):
        return ["x", path_of(kind), pack(value.args), pack(value.__dict__)]
    return ["o", path_of(kind), {name: pack(getattr(value, name)) for name in fields_of(kind)}]


def unpack(packed: Any) -> Any:
    """The value again. Only classes of Headrace are made, and none of their code runs."""
    if not isinstance(packed, list):
        return packed
    letter, *rest = packed
    match letter:
        case "n":
            return float(rest[0])
        case "b":
            return bytes.fromhex(rest[0])
        case "r":
            return Elided(*rest)
        case "?":
            return Opaque(*rest)
        case "t" | "l" | "s" | "f":
            return _CONTAINERS[letter](map(unpack, rest))
        case "d":
            return {unpack(key): unpack(item) for key, item in rest}
        case "e":
            return class_at(rest[0])(rest[1])
        case "x":
            kind = class_at(rest[0])
            error = kind.__new__(kind, *unpack(rest[1]))
            error.__dict__.update(unpack(rest[2]))
            return error
        case "o":
            kind = class_at(rest[0])
            return make(kind, [unpack(rest[1][name]) for name in fields_of(kind)])
    raise ValueError(f"a value of unknown kind {letter!r}")


_CONTAINERS: dict[str, Callable[[Any], Any]] = {"t": tuple, "l": list, "s": set, "f": frozenset}


def path_of(kind: Any) -> str:
    """`module:name` of a class."""
    return f"{kind.__module__}:{kind.__qualname__}"


def class_at(path: str) -> Any:
    """The class of Headrace that `module:name` names; `ValueError` if it names none."""
    module, _, name = path.partition(":")
    if module.partition(".")[0] != "headrace":
        raise ValueError(f"{path} is no class of Headrace")
    kind = getattr(importlib.import_module(module), name, None)
    if not isinstance(kind, type):
        raise ValueError(f"{path} is no class of Headrace")
    return kind
