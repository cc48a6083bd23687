"""Makes columns of a file those of a collection, and finds the rows that do not fit.

A column is converted and checked as a whole. Only when something in it does not fit is it halved
until the bad rows are alone. So the usual case has no loop over rows, and each bad row gets a
reason. Rows that do not fit become nulls, and `batches` leaves them out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import arrow_type
from headrace.ingest.columns.dense import read_dense
from headrace.ingest.columns.sparse import read_sparse
from headrace.ingest.faults import Fault, Faults, Unfit
from headrace.model.schema import DataType, Field

_INTEGERS = (DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64)
_FLOATS = (DataType.FLOAT, DataType.DOUBLE)
_ANY_JSON = msgspec.json.Decoder(msgspec.Raw)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def convert(
    field: Field, column: Any, read: Callable[[Field, Any], pa.Array]
) -> tuple[pa.Array, Faults]:
    """The column by `read`, with nulls where a row does not fit, and why it does not."""
    try:
        return read(field, column), {}
    except (Unfit, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if len(column) == 1:
            return pa.nulls(1, arrow_type(field)), {0: Fault(field.name, _one_line(error))}
    middle = len(column) // 2
    first, faults = convert(field, column[:middle], read)
    second, more = convert(field, column[middle:], read)
    faults.update({middle + place: fault for place, fault in more.items()})
    return pa.concat_arrays([first, second]), faults


def _one_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def read_column(field: Field, column: pa.Array) -> pa.Array:
    """A column of Arrow's as one of the field's type; `Unfit` when any value does not fit."""
    nulls = column.null_count
    if nulls and not (field.nullable or field.has_default or field.dynamic):
        what = (
            "the primary key is missing" if field.primary else "null, but the field is not nullable"
        )
        raise Unfit(what)
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        return read_sparse(column)
    if field.type.is_vector:
        return read_dense(field, column)
    if field.type == DataType.ARRAY:
        return _read_array(field, column)
    if field.type == DataType.JSON:
        return _read_json(field, column)
    if field.type == DataType.VARCHAR:
        return _read_texts(field, column)
    return _read_numbers(field, column)


def _read_numbers(field: Field, column: pa.Array) -> pa.Array:
    if field.type not in _FLOATS:
        return pc.cast(column, arrow_type(field))
    if not pa.types.is_floating(column.type):
        column = pc.cast(column, pa.float64())
    # Not a safe cast: a number of 64 bits may lose digits that 32 bits do not have.
    floats = pc.cast(column, arrow_type(field), safe=False)
    if pc.all(pc.is_finite(floats)).as_py() is False:
        if pc.all(pc.is_finite(column)).as_py() is False:
            raise Unfit("NaN and infinity can not be stored")
        raise Unfit(f"above what a {field.type.name} can hold")
    return floats


def _read_texts(field: Field, column: pa.Array) -> pa.Array:
    texts = pc.cast(column, pa.string())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        _check_utf8(texts)
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > field.max_length:
        raise Unfit(f"{longest} bytes are above its max_length of {field.max_length}")
    return texts


def _check_utf8(texts: pa.Array) -> None:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raise Unfit("the text is not UTF-8") from None


def _read_json(field: Field, column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = pc.cast(column, pa.string())
        _check_utf8(texts)
        check_json(field, [t for t in texts.cast(pa.binary()).to_pylist() if t is not None])
        return pc.fill_null(texts, "{}") if field.dynamic else texts
    return pa.array([None if v is None else as_json(v) for v in _values(column)], pa.string())


def check_json(field: Field, rows: Sequence[bytes]) -> None:
    """`Unfit` unless each of the texts is JSON (an object, in the dynamic field)."""
    decode = (_OBJECT if field.dynamic else _ANY_JSON).decode
    try:
        for text in rows:
            decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unfit(f"not JSON: {error}") from None


def as_json(value: object) -> str:
    """JSON text of a Python value; `Unfit` if it has none."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, orjson.JSONEncodeError) as error:
        raise Unfit(f"not to be written as JSON: {error}") from None


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_map(column.type):
        return [None if v is None else dict(v) for v in column.to_pylist()]
    values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    return values


def _read_array(field: Field, column: pa.Array) -> pa.Array:
    lengths = pc.list_value_length(column)
    longest = pc.max(lengths).as_py() or 0
    if longest > field.max_capacity:
        raise Unfit(f"{longest} elements are above its max_capacity of {field.max_capacity}")
    elements = column.flatten()
    if elements.null_count:
        raise Unfit("an array with a null in it can not be stored")
    element = Field(
        id=field.id, name=field.name, type=field.element_type, max_length=field.max_length
    )
    values = read_column(element, elements)
    counts = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
    mask = column.is_null() if column.null_count else None
    return pa.ListArray.from_arrays(offsets, values, mask=mask)


def takes(field: Field, kind: pa.DataType) -> bool:
    """Whether columns of an Arrow type are taken for a field at all, whatever their values."""
    t = pa.types
    texts = t.is_string(kind) or t.is_large_string(kind)
    numbers = t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)
    lists = t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)
    if t.is_null(kind):
        return True  # of which each row is judged
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        return bool(t.is_map(kind) or (t.is_struct(kind) and kind.get_field_index("indices") >= 0))
    if field.type.is_vector:
        packed = t.is_fixed_size_binary(kind) or t.is_binary(kind) or t.is_large_binary(kind)
        inner = kind.value_type if lists else kind
        return bool(packed or (lists and (t.is_integer(inner) or t.is_floating(inner))))
    if field.type in _INTEGERS:
        return bool(t.is_integer(kind))
    if field.type in _FLOATS:
        return bool(numbers)
    match field.type:
        case DataType.BOOL:
            return bool(t.is_boolean(kind))
        case DataType.VARCHAR:
            return bool(texts or t.is_temporal(kind) or t.is_decimal(kind))
        case DataType.ARRAY:
            element = Field(id=0, name="", type=field.element_type)
            return bool(lists and takes(element, kind.value_type))
        case _:
            packed = t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind)
            return not packed and not t.is_temporal(kind)


def plain(column: pa.Array) -> pa.Array:
    """The same values without what only says how they are kept: dictionaries, extension types."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    if pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    return column


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that `plain` makes of a column's."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.string() if pa.types.is_string_view(kind) else kind
