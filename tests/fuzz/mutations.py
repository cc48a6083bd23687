"""What is done to a right request so that it may be wrong: to its fields, and to its bytes.

**Owns** the changes. **Does not own** the requests (`fuzz.requests`).

Fields: any field that the message's type has, served or not, is cleared, set to a value at the edge
of its type, repeated, cut, swapped for a sibling of its oneof. Bytes: what a broken client, proxy
or network would make of a message, and lengths that lie.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from headrace.proxy.milvus import Message, schema_pb

Node: TypeAlias = tuple[Message, FieldDescriptor]

INTEGERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    2**15,
    2**31 - 1,
    -(2**31),
    2**63 - 1,
    -(2**63),
    100,
    101,
)
FLOATS = (0.0, float("nan"), float("inf"), float("-inf"), 3.5e38, 1e-320, -0.0)
TEXTS = (
    "",
    "a",
    "id",
    "$meta",
    "_row_id",
    "_timestamp",
    "RowID",
    "_default",
    "default",
    "ü" * 100,
    "x" * 256,
    "y" * 70_000,
    "\x00",
    "a b",
    "dim",
    "0",
    "-1",
    "1e3",
    "99999999999999999999",
    "١٢",  # digits to Unicode
    "mmap.enabled",
    "collection.ttl.seconds",
    "{keys}",
    "a == 1",
    "a in [1, 2",
    "a in [" + "1," * 3000 + "1]",
    "a == '" + "\\" * 2001,
    "(" * 3000,
)
BLOBS = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"null",
    b"NaN",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a": 1, "a": 2}',
    b'{"\\ud800": 1}',
    b'"\\ud800"',
    b'{"a": "\\udc00"}',
    b'"' + b"[" * 300 + b'"',
    b"[[]," * 100 + b"[" * 27 + b"]" * 127,
    b'{"": {}}',
    b'{"$meta": 1}',
    b"[" * 5000,
    b"[" * 200 + b"]" * 200,
    b'{"a":' * 1500 + b"1" + b"}" * 1500,
    b"9" * 5000,
    b'{"a": ' + b"9" * 400 + b"}",
    b'"\xff"',
    b"{}\n{}",
    b"x" * 30_000,
)
ODD_HEADERS = (
    ("idempotency-key", ""),
    ("idempotency-key", "k" * 257),
    ("idempotency-key", "\u00fc\x00#"),
    ("client-request-id", "headrace:"),
    ("client-request-id", "another client's"),
    ("headrace-first-sent", "1"),
    ("headrace-first-sent", "-1"),
    ("headrace-first-sent", "9" * 19),
    ("headrace-first-sent", "\u0661"),  # a digit to Unicode
    ("dbname", "other"),
    ("authorization", "\xff"),
)
NODES_MOST = 400


# ---- fields ------------------------------------------------------------------------------------


def mutate_fields(chance: random.Random, message: Message) -> None:
    """Change the message in one place, or in some."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        nodes = list(_nodes(message))
        target = chance.choice(nodes)
        descriptor = chance.choice(target.DESCRIPTOR.fields)
        present = [d for d, _ in target.ListFields()]
        if present and chance.random() < 0.7:
            descriptor = chance.choice(present)
        if descriptor.name == "schema" and descriptor.type == FieldDescriptor.TYPE_BYTES:
            _mutate_inside(chance, target)
        elif descriptor.is_repeated:
            _mutate_repeated(chance, target, descriptor)
        elif chance.random() < 0.2:
            target.ClearField(descriptor.name)
        elif descriptor.message_type is not None:
            getattr(target, descriptor.name).SetInParent()
        else:
            _set(target, descriptor, _value(chance, descriptor))


def _nodes(message: Message) -> Iterator[Message]:
    """The message and those inside it, `NODES_MOST` at most."""
    waiting, given = [message], 0
    while waiting and given < NODES_MOST:
        node = waiting.pop(0)
        given += 1
        yield node
        for descriptor, value in node.ListFields():
            if descriptor.message_type is None:
                continue
            if descriptor.message_type.GetOptions().map_entry:
                waiting += [v for v in value.values() if hasattr(v, "DESCRIPTOR")]
            else:
                waiting += list(value) if descriptor.is_repeated else [value]


def _mutate_inside(chance: random.Random, target: Message) -> None:
    """The schema of a create travels as bytes of its own."""
    try:
        schema = schema_pb.CollectionSchema.FromString(target.schema)
    except DecodeError:
        target.schema = chance.choice(BLOBS)
        return
    mutate_fields(chance, schema)
    target.schema = schema.SerializeToString()
    if chance.random() < 0.1:
        target.schema = mutate_bytes(chance, target.schema)


def _mutate_repeated(chance: random.Random, target: Message, descriptor: FieldDescriptor) -> None:
    items = getattr(target, descriptor.name)
    if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
        _mutate_map(chance, items, descriptor)
        return
    act = chance.randrange(6)
    if act == 0 and items:
        del items[chance.randrange(len(items))]
    elif act == 1 and items:
        items.append(items[chance.randrange(len(items))])
    elif act == 2 and items:
        del items[len(items) // 2 :]
    elif act == 3 and len(items) > 1 and descriptor.message_type is None:
        place = chance.randrange(len(items) - 1)
        items[place], items[place + 1] = items[place + 1], items[place]
    elif act == 4 and items and descriptor.message_type is None:
        _try(lambda: items.__setitem__(chance.randrange(len(items)), _value(chance, descriptor)))
    elif descriptor.message_type is not None:
        items.add()
    else:
        _try(lambda: items.extend([_value(chance, descriptor)] * chance.choice((1, 2, 500))))


def _mutate_map(chance: random.Random, items: Any, descriptor: FieldDescriptor) -> None:
    name = chance.choice(("keys", "k", "", "ü"))
    value = descriptor.message_type.fields_by_name["value"]
    if value.message_type is not None:
        items[name].SetInParent()
    else:
        _try(lambda: items.__setitem__(name, _value(chance, value)))


def _set(target: Message, descriptor: FieldDescriptor, value: Any) -> None:
    _try(lambda: setattr(target, descriptor.name, value))


def _try(work: Callable[[], object]) -> None:
    """What protobuf itself does not take is no request."""
    try:
        work()
    except (ValueError, TypeError, OverflowError):
        return


def _value(chance: random.Random, descriptor: FieldDescriptor) -> Any:
    if descriptor.type == FieldDescriptor.TYPE_BYTES:
        return chance.choice(BLOBS)
    if descriptor.type == FieldDescriptor.TYPE_STRING:
        return chance.choice(TEXTS)
    if descriptor.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if descriptor.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return chance.choice(FLOATS)
    if descriptor.enum_type is not None and chance.random() < 0.8:
        return chance.choice(descriptor.enum_type.values).number
    return chance.choice(INTEGERS)


# ---- headers -----------------------------------------------------------------------------------


def make_headers(chance: random.Random, number: int) -> dict[str, str]:
    """Mostly none; a key that was never used, made of the case's number; or what makes no sense."""
    form = chance.randrange(12)
    key = {"idempotency-key": f"key {number}"}
    if form == 0:
        return key
    if form == 1:
        name, value = chance.choice(ODD_HEADERS)
        odd = {name: value.replace("#", str(number))}
        return key | odd if chance.random() < 0.5 else odd
    return {}


# ---- bytes -------------------------------------------------------------------------------------


def mutate_bytes(chance: random.Random, data: bytes) -> bytes:
    """The bytes with one to four changes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(changed))
        end = min(len(changed), place + chance.choice((1, 2, 8, 100)))
        act = chance.randrange(8)
        if act == 0 and changed:
            changed[place % len(changed)] ^= 1 << chance.randrange(8)
        elif act == 1 and changed:
            changed[place % len(changed)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif act == 2:
            del changed[place:end]
        elif act == 3:
            changed[place:place] = chance.randbytes(chance.choice((1, 2, 9)))
        elif act == 4:
            changed[place:place] = changed[place:end]
        elif act == 5:
            del changed[place:]
        elif act == 6:  # a length that lies
            changed[place:place] = chance.choice(
                (b"\x0a\xff\xff\xff\xff\x07", b"\xff" * 9 + b"\x01", b"\x7a\x80\x80\x80\x01")
            )
        else:  # groups inside groups, which parsers go down into
            changed[place:place] = b"\x0b" * chance.choice((1, 150, 3000))
    return bytes(changed)
