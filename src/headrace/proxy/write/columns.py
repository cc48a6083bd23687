"""One column of a request: the values that a client sent, as an Arrow array, checked.

`MEMBERS` says where the protocol keeps the values of each type. `vector_columns` reads vectors, and
`rows_check` decides on nulls, defaults and which columns there must be.

Nothing here loops over rows on the way that ordinary requests take, but over those of an array,
which are a message each: numbers become numpy arrays at once, texts one Arrow array, JSON is
checked line by line in one call. A row is only looked for when something is wrong with one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import arrow_type
from headrace.model.schema import DYNAMIC_FIELD, DataType, Field
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message, schema_pb
from headrace.proxy.write.vector_columns import not_finite, read_vectors

# From the place of a value among all to the number of its row, for messages.
RowOf: TypeAlias = Callable[[int], int]
Places: TypeAlias = npt.NDArray[np.intp]
JSON_DEPTH_MAX = 128  # what the strictest of the common parsers take
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPENING, _CLOSING = (np.frombuffer(marks, np.uint8) for marks in (b"[{", b"]}"))
_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUES = msgspec.json.Decoder(msgspec.Raw)

# The member of the oneof in `scalars`, or for vectors in `vectors`.
MEMBERS: Mapping[DataType, str] = {
    DataType.BOOL: "bool_data",
    DataType.INT8: "int_data",
    DataType.INT16: "int_data",
    DataType.INT32: "int_data",
    DataType.INT64: "long_data",
    DataType.FLOAT: "float_data",
    DataType.DOUBLE: "double_data",
    DataType.VARCHAR: "string_data",
    DataType.JSON: "json_data",
    DataType.ARRAY: "array_data",
    DataType.BINARY_VECTOR: "binary_vector",
    DataType.FLOAT_VECTOR: "float_vector",
    DataType.FLOAT16_VECTOR: "float16_vector",
    DataType.BFLOAT16_VECTOR: "bfloat16_vector",
    DataType.SPARSE_FLOAT_VECTOR: "sparse_float_vector",
    DataType.INT8_VECTOR: "int8_vector",
}


def read_values(field: Field, data: Message, rows: int, present: Places | None) -> pa.Array:
    """The values that `data` brings for `field`, as many as it brings; `Invalid` if one is wrong.

    `rows` is how many vectors there should be, which their numbers do not say. `present` are the
    rows that have a value, rising, where some have none: an error then names the right row.
    """
    if data.type not in (0, int(field.type)):
        _refuse_type(field, _type_of(data.type))
    group_name, member = "vectors" if field.type.is_vector else "scalars", MEMBERS[field.type]
    which = data.WhichOneof("field")
    group = getattr(data, group_name)
    found = group.WhichOneof("data")
    if which is not None and (which != group_name or found not in (None, member)):
        _refuse_type(field, found or which)
    if field.type.is_vector:
        return read_vectors(field, group, rows)  # every row has one
    values = getattr(group, member).data
    row_of = _rows_of(len(values), present)
    if field.type is DataType.ARRAY:
        return _read_arrays(field, group.array_data, row_of)
    return _read_scalars(field, values, row_of)


def _type_of(code: int) -> str:
    return DataType(code).name if code in DataType.__members__.values() else f"type {code}"


def _refuse_type(field: Field, got: str) -> None:
    raise Refusal.COLUMN_TYPE.of(field.name, wanted=field.type.name, got=got)


def _rows_of(count: int, present: Places | None) -> RowOf:
    """How `count` values lie in the rows: alone, or with a filler for each row that has none."""
    if present is None or count != len(present):
        return lambda place: place
    return lambda place: int(present[place])


def _read_scalars(field: Field, values: Any, row_of: RowOf) -> pa.Array:
    match field.type:
        case DataType.BOOL:
            return pa.array(np.asarray(values, dtype=np.bool_))
        case DataType.FLOAT | DataType.DOUBLE:
            return _read_floats(field, values, row_of)
        case DataType.VARCHAR:
            return _read_texts(field, values, row_of)
        case DataType.JSON:
            rows: list[bytes] = values[:]
            _check_json(field, rows, _VALUES, row_of)
            return _json_texts(field, rows, row_of)
        case _:
            return _read_integers(field, values, row_of)


def _read_integers(field: Field, values: Any, row_of: RowOf) -> pa.Array:
    kind = arrow_type(field).to_pandas_dtype()
    limits = np.iinfo(kind)
    numbers = np.asarray(values)
    if len(numbers) == 0:
        return pa.array(np.zeros(0, kind))
    if numbers.min() < limits.min or numbers.max() > limits.max:
        place = int(np.flatnonzero((numbers < limits.min) | (numbers > limits.max))[0])
        row, got = row_of(place), int(numbers[place])
        raise Refusal.OUT_OF_RANGE.of(field.name, row=row, got=got, type=field.type.name)
    return pa.array(numbers.astype(kind, copy=False))


def _read_floats(field: Field, values: Any, row_of: RowOf) -> pa.Array:
    numbers = np.asarray(values, dtype=arrow_type(field).to_pandas_dtype())
    finite = np.isfinite(numbers)
    if not finite.all():
        place = int(np.argmin(finite))
        raise not_finite(field, row_of(place), numbers[place])
    return pa.array(numbers)


def _read_texts(field: Field, values: Any, row_of: RowOf) -> pa.Array:
    # The protobuf parser has checked the UTF-8 already.
    texts = pa.array(values[:], pa.string())
    sizes = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    if len(sizes) and sizes.max() > field.max_length:
        place = int(np.argmax(sizes > field.max_length))
        row, got = row_of(place), int(sizes[place])
        raise Refusal.TOO_LONG.of(field.name, row=row, got=got, most=field.max_length)
    return texts


def _read_arrays(field: Field, array: Message, row_of: RowOf) -> pa.Array:
    """Arrays: the elements of all rows are read as one column of the elements' type."""
    member = MEMBERS[field.element_type]
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
        row, got = row_of(place), int(lengths[place])
        raise Refusal.TOO_MANY.of(field.name, row=row, got=got, most=field.max_capacity)

    def row_of_element(place: int) -> int:
        return row_of(int(np.searchsorted(ends, place, side="right")))

    values = _read_scalars(replace(field, type=field.element_type), joined, row_of_element)
    offsets = pa.array(np.concatenate(([0], ends)).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, values)


def _refuse_elements(field: Field, got: str) -> None:
    wanted = f"an array of {field.element_type.name}"
    raise Refusal.COLUMN_TYPE.of(field.name, wanted=wanted, got=f"of {got}")


def _json_texts(field: Field, rows: list[bytes], row_of: RowOf) -> pa.Array:
    try:
        return pa.array(rows, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        row = row_of(next(n for n, text in enumerate(rows) if not _is_utf8(text)))
        raise Refusal.NOT_UTF8.of(field.name, row=row) from None


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
            raise Refusal.NOT_JSON.of(field.name, row=row_of(place), reason=error) from None
    return found


def _check_depth(field: Field, rows: list[bytes], row_of: RowOf) -> None:
    """Parsers of JSON give up at some depth, in Python at one that depends on the caller's."""
    for place, text in enumerate(rows):
        if text.count(b"[") + text.count(b"{") <= JSON_DEPTH_MAX:
            continue
        marks = np.frombuffer(_JSON_TEXT.sub(b"", text), np.uint8)
        opened = np.isin(marks, _OPENING).astype(np.int64)
        depth = int(np.cumsum(opened - np.isin(marks, _CLOSING)).max(initial=0))
        if depth > JSON_DEPTH_MAX:
            row = row_of(place)
            raise Refusal.JSON_DEEP.of(field.name, row=row, got=depth, most=JSON_DEPTH_MAX)


def read_dynamic(
    field: Field, data: Message, fixed: frozenset[str], present: Places | None
) -> pa.Array:
    """The dynamic column: JSON objects none of whose keys is in `fixed`; `present` as above."""
    served_type = data.type in (0, int(DataType.JSON))
    if not served_type or data.WhichOneof("field") not in (None, "scalars"):
        _refuse_type(field, _type_of(data.type))
    rows: list[bytes] = data.scalars.json_data.data[:]
    row_of = _rows_of(len(rows), present)
    for place, decoded in enumerate(_check_json(field, rows, _OBJECTS, row_of)):
        if not fixed.isdisjoint(decoded):
            key = min(fixed.intersection(decoded))
            raise Refusal.DYNAMIC_NAME(at=DYNAMIC_FIELD, row=row_of(place), key=key)
    return _json_texts(field, rows, row_of)
