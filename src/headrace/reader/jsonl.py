"""Rows as JSON Lines, each as pymilvus's `query` returns it.

Numbers of 16-bit vectors are printed by their values, a binary vector as its packed bytes, a sparse
vector as an object of index and value. Members of the dynamic column stand beside the fields.

A float32 is printed as the double of the same value (0.1 as 0.10000000149011612), which is what
pymilvus returns; so a line compares equal to its row. NaN and infinity, which JSON lacks, are null.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa

from headrace.binlog.columns import in_file
from headrace.model.errors import Corrupt
from headrace.model.schema import DYNAMIC_FIELD, DataType, Schema

_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def lines(batch: pa.RecordBatch, schema: Schema) -> Iterator[bytes]:
    """One line a row, its newline included, in the batch's order; columns in the batch's order,
    then the dynamic members. `Corrupt` when a JSON column does not hold JSON."""
    named = [n for n in batch.schema.names if n != DYNAMIC_FIELD]
    columns = [_values(batch.column(n), _kind(schema, n)) for n in named]
    dynamic = (
        batch.column(DYNAMIC_FIELD).to_pylist() if DYNAMIC_FIELD in batch.schema.names else None
    )
    for number in range(batch.num_rows):
        row = {name: column(number) for name, column in zip(named, columns, strict=True)}
        if dynamic is not None and dynamic[number] is not None:
            row |= {k: v for k, v in _members(dynamic[number]).items() if k not in row}
        yield orjson.dumps(row, option=_OPTIONS) + b"\n"


def _values(column: pa.Array, kind: DataType) -> Callable[[int], Any]:
    """Row number -> what is printed."""
    if pa.types.is_fixed_size_list(column.type):
        return _vectors(in_file(column, kind))
    values = column.to_pylist()
    if kind == DataType.JSON:
        return lambda number: None if values[number] is None else _verbatim(values[number])
    if kind == DataType.SPARSE_FLOAT_VECTOR:
        return lambda number: _sparse(values[number])
    return lambda number: values[number]


def _vectors(column: pa.FixedSizeListArray) -> Callable[[int], Any]:
    width = column.type.list_size
    flat = column.flatten().to_numpy(zero_copy_only=False)
    floats = pa.types.is_floating(column.type.value_type)
    matrix = (flat.astype(np.float64) if floats else flat).reshape(-1, width)
    if not column.null_count:
        return lambda number: matrix[number]
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    places = np.cumsum(valid) - 1
    return lambda number: matrix[places[number]] if valid[number] else None


def _sparse(value: dict[str, list[Any]] | None) -> dict[str, float] | None:
    if value is None:
        return None
    pairs = zip(value["indices"], value["values"], strict=True)
    return {str(index): number for index, number in pairs}


def _kind(schema: Schema, name: str) -> DataType:
    field = schema.field(name)
    return DataType.NONE if field is None else field.type


def _members(text: str) -> dict[str, Any]:
    """The members as they are written: a number that no double holds keeps its digits."""
    try:
        members = _OBJECTS.decode(text)
    except msgspec.ValidationError as error:
        raise Corrupt(f"a dynamic column holds no object: {text[:80]!r}") from error
    except msgspec.DecodeError as error:
        raise Corrupt(f"a dynamic column holds no JSON: {text[:80]!r}") from error
    return {name: _verbatim(bytes(value).decode()) for name, value in members.items()}


def _verbatim(text: str) -> orjson.Fragment:
    """JSON as it is written, but on one line: its texts have no bare line ends in them."""
    return orjson.Fragment(text.replace("\n", " ").replace("\r", " "))
