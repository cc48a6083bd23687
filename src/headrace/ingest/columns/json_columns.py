"""Makes a column of one field's values, each of them JSON.

The values are put together as one JSON array and decoded in one call, by type: the decoder refuses
a text where a number belongs, and says so.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from headrace.binlog.columns import arrow_type
from headrace.ingest.columns.convert import check_json, read_column
from headrace.ingest.faults import Unfit
from headrace.model.schema import DataType, Field

NULL = b"null"
_EXPECTED = re.compile(r"Expected (\w+)(?: \| null)?, got (\w+)")  # the decoder's words
_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_PYTHON: Mapping[DataType, Any] = {
    DataType.BOOL: bool,
    DataType.INT8: int,
    DataType.INT16: int,
    DataType.INT32: int,
    DataType.INT64: int,
    DataType.FLOAT: float,
    DataType.DOUBLE: float,
    DataType.VARCHAR: str,
}
_FLOATS = frozenset({DataType.FLOAT, DataType.DOUBLE})
_WHOLE_VECTORS = frozenset({DataType.INT8_VECTOR, DataType.BINARY_VECTOR})


@cache
def _decoder(kind: DataType, element: DataType) -> "msgspec.json.Decoder[Any]":
    value: Any
    if kind == DataType.ARRAY:
        value = GenericAlias(list, (_PYTHON[element],))
    elif kind == DataType.SPARSE_FLOAT_VECTOR:
        value = dict[str, float | list[float]]
    elif kind.is_vector:
        value = list[int] if kind in _WHOLE_VECTORS else list[float]
    else:
        value = _PYTHON[kind]
    return msgspec.json.Decoder(GenericAlias(list, (value | None,)))


def read_json_values(field: Field, values: Sequence[bytes]) -> pa.Array:
    """The column of a field; each value is JSON, `null` where there is none."""
    if field.type == DataType.JSON:
        return _json(field, values)
    try:
        found = _decoder(field.type, field.element_type).decode(b"[" + b",".join(values) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unfit(_words(error)) from None
    if len(found) != len(values):
        raise Unfit("more than one JSON value")
    return read_column(field, _arrow(field, found))


def _words(error: Exception) -> str:
    """What the decoder says, without the place in the array that we made."""
    text = str(error).partition(" - at ")[0].replace("`", "")
    found = _EXPECTED.fullmatch(text)
    if found is None:
        return text
    wanted, got = (_KINDS.get(kind, kind) for kind in found.groups())
    return f"{got} stands where {wanted} belongs"


def _json(field: Field, values: Sequence[bytes]) -> pa.Array:
    # A JSON field of a row without it is null; a written null is the JSON value.
    check_json(field, values)
    texts = pa.array([None if value == NULL else value for value in values], pa.binary())
    return read_column(field, texts.cast(pa.string()))


def _arrow(field: Field, values: list[Any]) -> pa.Array:
    kind = arrow_type(field)
    try:
        if field.type == DataType.SPARSE_FLOAT_VECTOR:
            return _sparse(values)
        if field.type.is_vector:
            return _vectors(field, values)
        if field.type in _FLOATS or field.element_type in _FLOATS:
            wide = pa.float64()
            return pa.array(values, pa.list_(wide) if field.type == DataType.ARRAY else wide)
        return pa.array(values, kind)
    except OverflowError:
        raise Unfit("a whole number of more than 64 bits") from None
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Unfit(str(error)) from None


def _vectors(field: Field, values: list[Any]) -> pa.Array:
    whole = field.type in _WHOLE_VECTORS
    if None in values:
        return pa.array(values, pa.list_(pa.int64() if whole else pa.float64()))
    lengths = [len(value) for value in values]
    if min(lengths) == max(lengths) > 0:
        matrix = np.array(values, np.int64 if whole else np.float64)
        return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), lengths[0])
    return pa.array(values, pa.list_(pa.int64() if whole else pa.float64()))


def _sparse(values: list[Any]) -> pa.Array:
    made: list[tuple[list[int], Any] | None] = []
    for value in values:
        if value is None:
            made.append(None)
        elif value.keys() == {"indices", "values"}:
            made.append((_whole(value["indices"]), value["values"]))
        else:
            made.append((_whole(value), list(value.values())))
    indices = pa.array([None if m is None else m[0] for m in made], pa.list_(pa.int64()))
    numbers = pa.array([None if m is None else m[1] for m in made], pa.list_(pa.float64()))
    mask = pa.array([m is None for m in made])
    return pa.StructArray.from_arrays([indices, numbers], ["indices", "values"], mask=mask)


def _whole(keys: Any) -> list[int]:
    try:
        found = [int(key) for key in keys]
    except (TypeError, ValueError):
        raise Unfit("the indices of a sparse vector are whole numbers") from None
    for key, number in zip(keys, found, strict=True):
        if isinstance(key, float) and key != number:
            raise Unfit("the indices of a sparse vector are whole numbers")
    return found
