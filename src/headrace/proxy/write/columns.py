"""One column of a request: the values that a client sent, as an Arrow array, checked.

**Owns** the table of types: where the protocol keeps the values of each, and how they are checked.
**Does not own** vectors (`vector_columns`), nulls, defaults and which columns there must be
(`rows_check`).

Nothing here loops over rows on the way that ordinary requests take, but over those of an array,
which are a message each: numbers become numpy arrays at once, texts one Arrow array, JSON is
checked line by line in one call. A row is only looked for when something is wrong with one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.model.schema import DYNAMIC_FIELD, DataType, Field
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message, schema_pb
from headrace.proxy.write.vector_columns import (
    not_finite,
    read_bytes,
    read_floats,
    read_sparse,
)

# From the place of a value among all to the number of its row.
RowOf: TypeAlias = Callable[[int], int]
Places: TypeAlias = npt.NDArray[np.intp]
ReadScalars: TypeAlias = Callable[[Field, Any, RowOf], pa.Array]
ReadVectors: TypeAlias = Callable[[Field, Message, int], pa.Array]
JSON_DEPTH_MAX = 128  # what the strictest of the common parsers take
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPENING, _CLOSING = (np.frombuffer(marks, np.uint8) for marks in (b"[{", b"]}"))
_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUES = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True, slots=True)
class Column:
    """How a served type travels: `group` (scalars or vectors) and `member` of the oneof in it.

    `read` gets the field, the group, the number of rows, and which rows have a value.
    """

    group: str
    member: str
    read: Callable[[Field, Message, int, Places | None], pa.Array]


def read_values(field: Field, data: Message, rows: int, present: Places | None) -> pa.Array:
    """The values that `data` brings for `field`, as many as it brings; `Invalid` if one is wrong.

    `rows` is how many they should be, for messages about vectors, whose number is not theirs.
    `present` are the rows that have a value, rising, where some have none: by these the rows of
    values that come alone are told.
    """
    column = COLUMNS[field.type]
    if data.type not in (0, int(field.type)):
        _refuse_type(field, _type_of(data.type))
    which = data.WhichOneof("field")
    group = getattr(data, column.group)
    member = group.WhichOneof("data")
    if which is not None and (which != column.group or member not in (None, column.member)):
        _refuse_type(field, member or which)
    return column.read(field, group, rows, present)


def _type_of(code: int) -> str:
    return DataType(code).name if code in DataType.__members__.values() else f"type {code}"


def _refuse_type(field: Field, got: str) -> None:
    raise Refusal.COLUMN_TYPE(at=field.name, name=field.name, wanted=field.type.name, got=got)


def _rows_of(count: int, present: Places | None) -> RowOf:
    """How `count` values lie in the rows: alone, or with a filler for each row that has none."""
    if present is None or count != len(present):
        return lambda place: place
    return lambda place: int(present[place])


def _read_bools(field: Field, values: Any, row_of: RowOf) -> pa.Array:
    return pa.array(np.asarray(values, dtype=np.bool_))


def _read_integers(kind: "np.dtype[Any]") -> ReadScalars:
    limits = np.iinfo(kind)

    def read(field: Field, values: Any, row_of: RowOf) -> pa.Array:
        numbers = np.asarray(values)
        if len(numbers) == 0:
            return pa.array(np.zeros(0, kind))
        if numbers.min() < limits.min or numbers.max() > limits.max:
            place = int(np.flatnonzero((numbers < limits.min) | (numbers > limits.max))[0])
            raise Refusal.OUT_OF_RANGE(
                at=field.name,
                name=field.name,
                row=row_of(place),
                got=int(numbers[place]),
                type=field.type.name,
            )
        return pa.array(numbers.astype(kind, copy=False))

    return read


def _read_floats(kind: "np.dtype[Any]") -> ReadScalars:
    def read(field: Field, values: Any, row_of: RowOf) -> pa.Array:
        numbers = np.asarray(values, dtype=kind)
        finite = np.isfinite(numbers)
        if not finite.all():
            place = int(np.argmin(finite))
            raise not_finite(field, row_of(place), numbers[place])
        return pa.array(numbers)

    return read


def _read_texts(field: Field, values: Any, row_of: RowOf) -> pa.Array:
    # The protobuf parser has checked the UTF-8 already.
    texts = pa.array(values[:], pa.string())
    sizes = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    if len(sizes) and sizes.max() > field.max_length:
        place = int(np.argmax(sizes > field.max_length))
        raise Refusal.TOO_LONG(
            at=field.name,
            name=field.name,
            row=row_of(place),
            got=int(sizes[place]),
            most=field.max_length,
        )
    return texts


def _read_arrays(field: Field, group: Message, rows: int, present: Places | None) -> pa.Array:
    """Arrays: the elements of all rows are read as one column of the elements' type."""
    array = group.array_data
    row_of = _rows_of(len(array.data), present)
    member, read = _SCALARS[field.element_type]
    if array.element_type not in (0, int(field.element_type)):
        _refuse_elements(field, _type_of(array.element_type))
    # Joined by protobuf itself: as numbers of Python they would cost ten times as much.
    joined = getattr(schema_pb.ScalarField(), member).data
    ends_of_rows = []
    for part in array.data:
        found = part.WhichOneof("data")
        if found not in (None, member):
            _refuse_elements(field, found)
        joined.MergeFrom(getattr(part, member).data)
        ends_of_rows.append(len(joined))
    ends = np.array(ends_of_rows, np.int64)
    lengths = np.diff(ends, prepend=0)
    if len(lengths) and lengths.max() > field.max_capacity:
        place = int(np.argmax(lengths > field.max_capacity))
        raise Refusal.TOO_MANY(
            at=field.name,
            name=field.name,
            row=row_of(place),
            got=int(lengths[place]),
            most=field.max_capacity,
        )
    element = replace(field, type=field.element_type)
    values = read(element, joined, lambda n: row_of(int(np.searchsorted(ends, n, side="right"))))
    offsets = pa.array(np.concatenate(([0], ends)).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, values)


def _refuse_elements(field: Field, got: str) -> None:
    wanted = f"an array of {field.element_type.name}"
    raise Refusal.COLUMN_TYPE(at=field.name, name=field.name, wanted=wanted, got=f"of {got}")


def _read_json(field: Field, values: Any, row_of: RowOf) -> pa.Array:
    rows: list[bytes] = values[:]
    _check_json(field, rows, _VALUES, row_of)
    return _json_texts(field, rows, row_of)


def _json_texts(field: Field, rows: list[bytes], row_of: RowOf) -> pa.Array:
    try:
        return pa.array(rows, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        row = row_of(next(n for n, text in enumerate(rows) if not _is_utf8(text)))
        raise Refusal.NOT_UTF8(at=field.name, name=field.name, row=row) from None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_json(
    field: Field, rows: list[bytes], decoder: "msgspec.json.Decoder[Any]", row_of: RowOf
) -> list[Any]:
    """Every row decoded; `Invalid` naming the first that is not JSON of the decoder's type.

    One call for all rows where each is on one line, which is how clients send them.
    """
    _check_depth(field, rows, row_of)
    joined = b"\n".join(rows)
    if joined.count(b"\n") == len(rows) - 1:
        try:
            decoded: list[Any] = decoder.decode_lines(joined)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decoded = []
        if len(decoded) == len(rows):
            return decoded
    found = []
    for place, text in enumerate(rows):
        try:
            found.append(decoder.decode(text))
        except msgspec.ValidationError:
            raise Refusal.DYNAMIC_NOT_OBJECT(at=field.name, row=row_of(place)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal.NOT_JSON(
                at=field.name, name=field.name, row=row_of(place), reason=str(error)
            ) from None
    return found


def _check_depth(field: Field, rows: list[bytes], row_of: RowOf) -> None:
    """Parsers of JSON give up at some depth, in Python at one that depends on who calls."""
    for place, text in enumerate(rows):
        if text.count(b"[") + text.count(b"{") <= JSON_DEPTH_MAX:
            continue
        marks = np.frombuffer(_JSON_TEXT.sub(b"", text), np.uint8)
        opened = np.isin(marks, _OPENING).astype(np.int64)
        depth = int(np.cumsum(opened - np.isin(marks, _CLOSING)).max(initial=0))
        if depth > JSON_DEPTH_MAX:
            raise Refusal.JSON_DEEP(
                at=field.name,
                name=field.name,
                row=row_of(place),
                got=depth,
                most=JSON_DEPTH_MAX,
            )


def read_dynamic(
    field: Field, data: Message, fixed: frozenset[str], present: Places | None
) -> pa.Array:
    """The dynamic column: JSON objects none of whose keys is in `fixed`; `present` as above."""
    if data.type not in (0, int(DataType.JSON)) or data.WhichOneof("field") not in (
        None,
        "scalars",
    ):
        _refuse_type(field, _type_of(data.type))
    rows: list[bytes] = data.scalars.json_data.data[:]
    row_of = _rows_of(len(rows), present)
    for place, decoded in enumerate(_check_json(field, rows, _OBJECTS, row_of)):
        if not fixed.isdisjoint(decoded):
            key = min(fixed.intersection(decoded))
            raise Refusal.DYNAMIC_NAME(at=DYNAMIC_FIELD, row=row_of(place), key=key)
    return _json_texts(field, rows, row_of)


def _scalar(member: str, read: ReadScalars) -> Column:
    def read_group(field: Field, group: Message, rows: int, present: Places | None) -> pa.Array:
        values = getattr(group, member).data
        return read(field, values, _rows_of(len(values), present))

    return Column("scalars", member, read_group)


def _vector(member: str, read: ReadVectors) -> Column:
    def read_group(field: Field, group: Message, rows: int, present: Places | None) -> pa.Array:
        return read(field, group, rows)  # every row has one

    return Column("vectors", member, read_group)


_SCALARS: Mapping[DataType, tuple[str, ReadScalars]] = {
    DataType.BOOL: ("bool_data", _read_bools),
    DataType.INT8: ("int_data", _read_integers(np.dtype(np.int8))),
    DataType.INT16: ("int_data", _read_integers(np.dtype(np.int16))),
    DataType.INT32: ("int_data", _read_integers(np.dtype(np.int32))),
    DataType.INT64: ("long_data", _read_integers(np.dtype(np.int64))),
    DataType.FLOAT: ("float_data", _read_floats(np.dtype(np.float32))),
    DataType.DOUBLE: ("double_data", _read_floats(np.dtype(np.float64))),
    DataType.VARCHAR: ("string_data", _read_texts),
    DataType.JSON: ("json_data", _read_json),
}
COLUMNS: Mapping[DataType, Column] = {
    **{kind: _scalar(member, read) for kind, (member, read) in _SCALARS.items()},
    DataType.ARRAY: Column("scalars", "array_data", _read_arrays),
    DataType.BINARY_VECTOR: _vector("binary_vector", read_bytes),
    DataType.FLOAT_VECTOR: _vector("float_vector", read_floats),
    DataType.FLOAT16_VECTOR: _vector("float16_vector", read_bytes),
    DataType.BFLOAT16_VECTOR: _vector("bfloat16_vector", read_bytes),
    DataType.SPARSE_FLOAT_VECTOR: _vector("sparse_float_vector", read_sparse),
    DataType.INT8_VECTOR: _vector("int8_vector", read_bytes),
}
