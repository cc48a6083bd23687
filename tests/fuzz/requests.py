"""Requests as clients make them: schemas, rows and deletes of every served kind, right as they are.

**Owns** how a request is made from chance. **Does not own** what is done to it (`fuzz.mutations`)
or its meaning (`fuzz.meaning`).

`chance` is drawn from hypothesis, so that it can make a failing request smaller. Values in bulk
come from a generator that one number of it seeds.
"""

import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.proxy.milvus import Message, pb, schema_pb

TYPES = schema_pb.DataType
INTEGER_BITS = {TYPES.Int8: 8, TYPES.Int16: 16, TYPES.Int32: 32, TYPES.Int64: 64}
SCALARS = (*INTEGER_BITS, TYPES.Bool, TYPES.Float, TYPES.Double, TYPES.VarChar)
DENSE = (
    TYPES.FloatVector,
    TYPES.Float16Vector,
    TYPES.BFloat16Vector,
    TYPES.BinaryVector,
    TYPES.Int8Vector,
)
VECTORS = (*DENSE, TYPES.SparseFloatVector)
NAMES = ("a", "b", "_c", "D", "key", "list", "element", "select", "x" * 255, "values", "indices")
WORDS = ("", "a", "ü", "it's", '"', "\\", "\x00", "\n", "日本", "𝄞", "null", "NaN", "{}", " ")
DOCUMENTS = ("{}", "[]", "null", "0", '"x"', '{"a": 1}', '{"a": {"b": [1, null]}}', " [1 , 2]\n")
MEMBERS = {  # where a scalar's values travel
    **dict.fromkeys((TYPES.Int8, TYPES.Int16, TYPES.Int32), "int_data"),
    TYPES.Bool: "bool_data",
    TYPES.Int64: "long_data",
    TYPES.Float: "float_data",
    TYPES.Double: "double_data",
    TYPES.VarChar: "string_data",
    TYPES.JSON: "json_data",
}
BYTES_MEMBERS = {
    TYPES.Float16Vector: "float16_vector",
    TYPES.BFloat16Vector: "bfloat16_vector",
    TYPES.BinaryVector: "binary_vector",
    TYPES.Int8Vector: "int8_vector",
}


@dataclass
class Known:
    """A collection that was acknowledged: its name, its schema as described, its partitions."""

    name: str
    schema: Message
    partitions: list[str] = field(default_factory=lambda: ["_default"])

    @property
    def key(self) -> Message:
        """The primary key's field."""
        return next(f for f in self.schema.fields if f.is_primary_key)


def parameter(described: Message, name: str) -> int:
    """A type parameter as a number, 0 when it is not given."""
    return next((int(p.value) for p in described.type_params if p.key == name), 0)


# ---- schemas -----------------------------------------------------------------------------------


def make_schema(chance: random.Random) -> Message:
    """A schema that is served."""
    made = schema_pb.CollectionSchema(enable_dynamic_field=chance.random() < 0.5)
    names = list(NAMES)
    chance.shuffle(names)
    key = _add(made, names.pop(), chance.choice((TYPES.Int64, TYPES.VarChar)), chance)
    key.is_primary_key = True
    key.autoID = chance.random() < 0.3
    for _ in range(chance.randint(0, 5)):
        kind = chance.choice((*SCALARS, TYPES.JSON, TYPES.Array))
        item = _add(made, names.pop(), kind, chance)
        item.nullable = chance.random() < 0.4
        if kind in SCALARS and chance.random() < 0.3:
            _give_default(item, chance)
        if kind in (TYPES.Int64, TYPES.VarChar) and chance.random() < 0.5:
            item.is_partition_key = not any(f.is_partition_key for f in made.fields)
            if item.is_partition_key:
                item.nullable = False
                item.ClearField("default_value")
    for _ in range(chance.randint(1, 3)):
        _add(made, names.pop(), chance.choice(VECTORS), chance)
    return made


def _add(made: Message, name: str, kind: int, chance: random.Random) -> Message:
    item = made.fields.add(name=name, data_type=kind)
    if kind == TYPES.Array:
        item.element_type = chance.choice(SCALARS)
        item.type_params.add(key="max_capacity", value=str(chance.choice((1, 4, 4096))))
    if TYPES.VarChar in (kind, item.element_type):
        item.type_params.add(key="max_length", value=str(chance.choice((4, 64, 65_535))))
    if kind in DENSE:
        dims = (8, 16, 64) if kind == TYPES.BinaryVector else (1, 2, 3, 16, 100)
        item.type_params.add(key="dim", value=str(chance.choice(dims)))
    return item


def _give_default(item: Message, chance: random.Random) -> None:
    values = make_values(item, 1, random.Random(chance.getrandbits(32)))
    member = {"float_data": "float_data", "double_data": "double_data"}.get(
        MEMBERS[item.data_type], MEMBERS[item.data_type]
    )
    setattr(item.default_value, member, values[0])


def make_create(chance: random.Random, name: str) -> Message:
    """A CreateCollection that is served."""
    return pb.CreateCollectionRequest(
        collection_name=name,
        schema=make_schema(chance).SerializeToString(),
        shards_num=chance.choice((0, 1, 2)),
    )


# ---- values ------------------------------------------------------------------------------------


def make_values(item: Message, count: int, bulk: random.Random) -> list[Any]:
    """Values of a field of a schema, in the form in which they travel: a vector as its bytes or
    floats, an array as a list."""
    if item.data_type == TYPES.Array:
        element = schema_pb.FieldSchema(data_type=item.element_type, type_params=item.type_params)
        most = min(parameter(item, "max_capacity"), 5)
        return [make_values(element, bulk.randint(0, most), bulk) for _ in range(count)]
    make = _MAKERS.get(item.data_type)
    return [make(item, bulk) if make else _integer(item, bulk) for _ in range(count)]


def _integer(item: Message, bulk: random.Random) -> int:
    bits = INTEGER_BITS[item.data_type]
    top = 1 << (bits - 1)
    return bulk.choice((0, 1, -1, top - 1, -top, bulk.randint(-top, top - 1)))


def _number(item: Message, bulk: random.Random) -> float:
    made = bulk.choice((0.0, -0.0, 1.5, 1e-45, 3.4e38, -1e30, bulk.uniform(-1, 1)))
    if item.data_type in (TYPES.Double,):
        return bulk.choice((made, 1e308, 5e-324))
    return struct.unpack("<f", struct.pack("<f", made))[0]


def _text(item: Message, bulk: random.Random) -> str:
    made = bulk.choice((*WORDS, str(bulk.randint(0, 50))))
    most = parameter(item, "max_length")
    while len(made.encode()) > most:
        made = made[:-1]
    return made


def _document(item: Message, bulk: random.Random) -> bytes:
    return bulk.choice(DOCUMENTS).encode()


def make_object(bulk: random.Random, taken: frozenset[str]) -> bytes:
    """The members of a row that no field of the schema has."""
    names = [n for n in ("m", "n", "deep", "ü", "") if n not in taken]
    chosen = bulk.sample(names, bulk.randint(0, len(names)))
    return json.dumps({n: json.loads(bulk.choice(DOCUMENTS)) for n in chosen}).encode()


def _floats(item: Message, bulk: random.Random) -> list[float]:
    return [_number(item, bulk) for _ in range(parameter(item, "dim"))]


def _float16_values(item: Message, bulk: random.Random) -> bytes:
    exponent = 0x7C00 if item.data_type == TYPES.Float16Vector else 0x7F80
    numbers = [bulk.getrandbits(16) for _ in range(parameter(item, "dim"))]
    finite = [n & ~0x0400 if n & exponent == exponent else n for n in numbers]
    finite = [n if n & exponent != exponent else 0x3C00 for n in finite]
    return struct.pack(f"<{len(finite)}H", *finite)


def _packed(item: Message, bulk: random.Random) -> bytes:
    bits = parameter(item, "dim")
    return bulk.randbytes(bits // 8 if item.data_type == TYPES.BinaryVector else bits)


def _sparse(item: Message, bulk: random.Random) -> bytes:
    indices = sorted(bulk.sample((0, 1, 5, 77, 2**31, 2**32 - 2), bulk.randint(0, 4)))
    return b"".join(struct.pack("<If", i, bulk.choice((0.5, -0.0, 1e-40, 7.0))) for i in indices)


_MAKERS: Mapping[int, Callable[[Message, random.Random], Any]] = {
    TYPES.Bool: lambda item, bulk: bulk.random() < 0.5,
    TYPES.Float: _number,
    TYPES.Double: _number,
    TYPES.VarChar: _text,
    TYPES.JSON: _document,
    TYPES.FloatVector: _floats,
    TYPES.Float16Vector: _float16_values,
    TYPES.BFloat16Vector: _float16_values,
    TYPES.BinaryVector: _packed,
    TYPES.Int8Vector: _packed,
    TYPES.SparseFloatVector: _sparse,
}

# ---- rows --------------------------------------------------------------------------------------


def make_rows(chance: random.Random, known: Known, *, upsert: bool) -> Message:
    """An Insert or Upsert that is served."""
    count = chance.choice((1, 1, 2, 3, 5, 8, 40))
    bulk = random.Random(chance.getrandbits(32))
    kind = pb.UpsertRequest if upsert else pb.InsertRequest
    request = kind(collection_name=known.name, num_rows=count)
    if len(known.partitions) > 1 and chance.random() < 0.5:
        request.partition_name = chance.choice(known.partitions)
    names = frozenset(f.name for f in known.schema.fields)
    for item in known.schema.fields:
        if item.autoID and not upsert:
            continue
        optional = item.nullable or item.HasField("default_value")
        if optional and chance.random() < 0.2:
            continue
        data = request.fields_data.add(field_name=item.name, type=item.data_type)
        here = count
        if optional and chance.random() < 0.5:
            data.valid_data.extend(bulk.random() < 0.7 for _ in range(count))
            here = sum(data.valid_data) if chance.random() < 0.5 else count
        fill(data, item, make_values(item, here, bulk))
    if known.schema.enable_dynamic_field and chance.random() < 0.7:
        data = request.fields_data.add(field_name="$meta", type=TYPES.JSON, is_dynamic=True)
        data.scalars.json_data.data.extend(make_object(bulk, names) for _ in range(count))
    return request


def fill(data: Message, item: Message, values: Sequence[Any]) -> None:
    """Put values of a field into the request's column."""
    kind = item.data_type
    if kind == TYPES.Array:
        data.scalars.array_data.element_type = item.element_type
        for value in values:
            part = data.scalars.array_data.data.add()
            getattr(part, MEMBERS[item.element_type]).data.extend(value)
    elif kind in MEMBERS:
        getattr(data.scalars, MEMBERS[kind]).data.extend(values)
    elif kind == TYPES.SparseFloatVector:
        data.vectors.sparse_float_vector.contents.extend(values)
        data.vectors.sparse_float_vector.dim = 7
    else:
        data.vectors.dim = parameter(item, "dim")
        if kind == TYPES.FloatVector:
            data.vectors.float_vector.data.extend(x for vector in values for x in vector)
        else:
            setattr(data.vectors, BYTES_MEMBERS[kind], b"".join(values))


def make_delete(chance: random.Random, known: Known, keys: Sequence[Any]) -> Message:
    """A Delete by key: of some of these, and of others."""
    bulk = random.Random(chance.getrandbits(32))
    chosen = [chance.choice(keys) for _ in range(chance.randint(0, 3)) if keys]
    chosen += make_values(known.key, chance.randint(0 if chosen else 1, 2), bulk)
    request = pb.DeleteRequest(collection_name=known.name)
    if len(known.partitions) > 1 and chance.random() < 0.3:
        request.partition_name = chance.choice(known.partitions)
    name = known.key.name
    form = chance.randrange(3)
    texts = [str(k) if isinstance(k, int) else _quoted(k) for k in chosen]
    if form == 0:
        request.expr = f"{name} == {texts[0]}"
    elif form == 1:
        request.expr = f"{name} in [{', '.join(texts)}]"
    else:
        request.expr = f"{name} in {{keys}}"
        values = request.expr_template_values["keys"].array_val
        member = "long_data" if isinstance(chosen[0], int) else "string_data"
        getattr(values, member).data.extend(chosen)
    return request


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
