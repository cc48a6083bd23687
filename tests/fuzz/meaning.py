"""What acknowledged requests mean, told once more in the plainest way, row by row.

**Owns** the rows that a collection must have, and their comparison with those that were read. It
knows Milvus's messages and nothing of the front door's code. **Does not own** the requests.

A value is compared in a form in which equal means equal to the bit: floats and vectors as bytes.
"""

import re
import struct
from ast import literal_eval
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from fuzz.requests import BYTES_MEMBERS, MEMBERS, TYPES, Known, parameter
from headrace.proxy.milvus import Message, schema_pb

Row: TypeAlias = tuple[Any, ...]
DYNAMIC = "$meta"
DEFAULT_PARTITION = "_default"


@dataclass
class History:
    """The rows that a collection must have: of each key the rows, each with its partition, in the
    order of the fields."""

    known: Known
    rows: dict[Any, list[tuple[str, Row]]] = field(default_factory=dict)
    unclear: bool = False  # an acknowledged expression that this module can not read

    @property
    def names(self) -> list[str]:
        """The columns, the dynamic one last."""
        names = [f.name for f in self.known.schema.fields]
        return [*names, DYNAMIC] if self.known.schema.enable_dynamic_field else names

    @property
    def keys(self) -> list[Any]:
        """Of living rows, in their order."""
        return sorted(self.rows)

    def insert(self, request: Message, answer: Message, *, upsert: bool) -> None:
        """An acknowledged Insert or Upsert."""
        partition = request.partition_name or DEFAULT_PARTITION
        columns = [self._column(request, item) for item in self.known.schema.fields]
        if self.known.schema.enable_dynamic_field:
            columns.append(_dynamic(request))
        place = self.names.index(self.known.key.name)
        given = columns[place]
        if upsert:
            # By a partition key the older row may be in any partition.
            self._remove(given, partition if self.known.partitions else "")
        last = {key: number for number, key in enumerate(given)} if upsert else {}
        stand = [n for n, key in enumerate(given) if not upsert or last[key] == n]
        columns = [[column[n] for n in stand] for column in columns]
        columns[place] = _ids(answer)  # of the rows that stand
        for row in zip(*columns, strict=True):
            self.rows.setdefault(row[place], []).append((partition, row))

    def delete(self, request: Message) -> None:
        """An acknowledged Delete: in one partition, or in all."""
        keys = keys_of(request, self.known.key.data_type == TYPES.Int64)
        parted = not self.known.partitions  # by a key: which row is where is not told here
        if keys is None or (parted and request.partition_name):
            self.unclear = True
            return
        self._remove(keys, request.partition_name)

    def _remove(self, keys: Sequence[Any], partition: str) -> None:
        for key in keys:
            kept = [r for r in self.rows.pop(key, []) if partition not in ("", r[0])]
            if kept:
                self.rows[key] = kept

    def differences(self, table: pa.Table) -> list[str]:
        """What is read and must not be, and the other way round; in words."""
        if table.schema.names != self.names:
            return [f"columns {table.schema.names}, not {self.names}"]
        read = Counter(read_rows(table, self.known))
        wanted = Counter(row for rows in self.rows.values() for _, row in rows)
        return [
            *(f"not read: {row}" for row in (wanted - read).elements()),
            *(f"read, though never written so: {row}" for row in (read - wanted).elements()),
        ]

    def _column(self, request: Message, item: Message) -> list[Any]:
        data = next((d for d in request.fields_data if d.field_name == item.name), None)
        if data is None or data.is_dynamic:
            if item.autoID:
                return [None] * request.num_rows
            return [_default(item)] * request.num_rows
        values = _sent(data, item)
        valid = list(data.valid_data) or [True] * request.num_rows
        if len(values) == len(valid):
            return [v if ok else _default(item) for v, ok in zip(values, valid, strict=True)]
        left = iter(values)
        return [next(left) if ok else _default(item) for ok in valid]


def _ids(answer: Message) -> list[Any]:
    member = answer.IDs.WhichOneof("id_field")
    return list(getattr(answer.IDs, member).data) if member else []


def _default(item: Message) -> Any:
    member = item.default_value.WhichOneof("data")
    return None if member is None else _form(item, getattr(item.default_value, member))


def _dynamic(request: Message) -> list[Any]:
    data = next((d for d in request.fields_data if d.is_dynamic), None)
    if data is None:
        return ["{}"] * request.num_rows
    texts = [t.decode() for t in data.scalars.json_data.data]
    valid = list(data.valid_data) or [True] * request.num_rows
    if len(texts) == len(valid):
        return [t if ok else None for t, ok in zip(texts, valid, strict=True)]
    left = iter(texts)
    return [next(left) if ok else None for ok in valid]


def _sent(data: Message, item: Message) -> list[Any]:
    """The values of a column of a request, in the form in which they are compared."""
    kind = item.data_type
    if kind == TYPES.Array:
        element = schema_pb.FieldSchema(data_type=item.element_type)
        member = MEMBERS[item.element_type]
        parts = [getattr(part, member).data for part in data.scalars.array_data.data]
        return [tuple(_form(element, v) for v in part) for part in parts]
    if kind in MEMBERS:
        return [_form(item, v) for v in getattr(data.scalars, MEMBERS[kind]).data]
    if kind == TYPES.SparseFloatVector:
        return list(data.vectors.sparse_float_vector.contents)
    if kind == TYPES.FloatVector:
        numbers = data.vectors.float_vector.data
        run, width = struct.pack(f"<{len(numbers)}f", *numbers), 4 * parameter(item, "dim")
    else:
        run = getattr(data.vectors, BYTES_MEMBERS[kind])
        width = _width(item)
    return [run[n : n + width] for n in range(0, len(run), width)]


def _width(item: Message) -> int:
    dim = parameter(item, "dim")
    if item.data_type == TYPES.BinaryVector:
        return dim // 8
    return dim if item.data_type == TYPES.Int8Vector else 2 * dim


def _form(item: Message, value: Any) -> Any:
    if value is None:
        return None
    if item.data_type == TYPES.Float:
        return struct.pack("<f", value)
    if item.data_type == TYPES.Double:
        return struct.pack("<d", value)
    return value.decode() if isinstance(value, bytes) else value


# ---- what was read -----------------------------------------------------------------------------


def read_rows(table: pa.Table, known: Known) -> Iterable[Row]:
    """The rows of a table of the reader, in the form in which they are compared."""
    items = {f.name: f for f in known.schema.fields}
    columns = [
        [_read(items.get(name), value) for value in table[name].to_pylist()]
        for name in table.schema.names
    ]
    return zip(*columns, strict=True)


def _read(item: Message | None, value: Any) -> Any:
    if item is None or value is None:
        return value
    kind = item.data_type
    if kind == TYPES.SparseFloatVector:
        pairs = zip(value["indices"], value["values"], strict=True)
        return b"".join(struct.pack("<If", i, v) for i, v in pairs)
    if kind == TYPES.Array:
        element = schema_pb.FieldSchema(data_type=item.element_type)
        return tuple(_form(element, v) for v in value)
    letter = {
        TYPES.FloatVector: "f",
        TYPES.Float16Vector: "e",
        TYPES.BFloat16Vector: "H",
        TYPES.Int8Vector: "b",
        TYPES.BinaryVector: "B",
    }.get(kind)
    if letter is not None:
        return struct.pack(f"<{len(value)}{letter}", *value)
    return _form(item, value)


# ---- keys of a delete --------------------------------------------------------------------------

_ONE = re.compile(r"\s*[\w$]+\s*==\s*(?P<operand>.*?)\s*", re.DOTALL)
_MANY = re.compile(r"\s*[\w$]+\s*\b[iI][nN]\b\s*(?P<operand>.*?)\s*", re.DOTALL)
_TEMPLATE = re.compile(r"\{\s*(\w+)\s*\}")


def keys_of(request: Message, integers: bool) -> Sequence[Any] | None:
    """The keys that an acknowledged expression names; None when that is not told here."""
    form = _ONE.fullmatch(request.expr) or _MANY.fullmatch(request.expr)
    if form is None:
        return None
    operand = form["operand"]
    template = _TEMPLATE.fullmatch(operand)
    if template is not None:
        value = request.expr_template_values[template[1]]
        member = value.WhichOneof("val")
        if member != "array_val":
            return [getattr(value, member)]
        kind = value.array_val.WhichOneof("data")
        return list(getattr(value.array_val, kind).data)
    if integers:
        return [int(number) for number in re.findall(r"[+-]?[0-9]+", operand)]
    try:
        found = literal_eval(operand)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, list) else [found]
