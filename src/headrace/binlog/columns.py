"""Columns: how a collection's schema looks in Arrow, in the log's bodies and in files.

A vector is Arrow's fixed-size list, so a column of them is one flat run of numbers: of floats, of
`halffloat` (float16), of the bits as uint16 (bfloat16, which Arrow lacks), of int8, and of uint8
for the packed bits of a binary vector. A sparse vector is a struct of two lists, indices and
values. JSON and the dynamic column hold JSON text. `_row_id` and `_timestamp` are int64: both are
below 2**63, and Spark, which has no unsigned integers, reads an unsigned column as a decimal.

In files the elements of a vector are declared non-null, which they are: PyArrow then writes them
with 15 % and reads them with 25 % less CPU. In memory they have Arrow's default type, which is what
users write. 16-bit floats are stored as 32-bit floats of the same value, which every reader knows.
Where the Arrow type does not say what a field is, its metadata does, so that every bit comes back.
`in_file` and `in_memory` convert between the two forms and copy nothing but 16-bit floats.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.binlog.parquet.float16 import (
    narrow_bfloat16,
    narrow_float16,
    widen_bfloat16,
    widen_float16,
)
from headrace.model.errors import Corrupt, Invalid
from headrace.model.schema import ROW_ID_COLUMN, TIMESTAMP_COLUMN, DataType, Field, Schema

_SCALARS = {
    DataType.BOOL: pa.bool_(),
    DataType.INT8: pa.int8(),
    DataType.INT16: pa.int16(),
    DataType.INT32: pa.int32(),
    DataType.INT64: pa.int64(),
    DataType.FLOAT: pa.float32(),
    DataType.DOUBLE: pa.float64(),
    DataType.VARCHAR: pa.string(),
    DataType.JSON: pa.string(),
}
OWN_FIELDS = (
    pa.field(ROW_ID_COLUMN, pa.int64(), nullable=False),
    pa.field(TIMESTAMP_COLUMN, pa.int64(), nullable=False),
)
KEY_COLUMN = "key"  # of a body of deletes and of a delta log
TYPE_METADATA = b"headrace.type"  # of a field in a file: the name of its `DataType`
SPARSE_VECTOR = pa.struct(
    [("indices", pa.list_(pa.uint32())), ("values", pa.list_(pa.float32()))],
)
_SPARSE_IN_FILE = pa.struct(
    pa.field(f.name, pa.list_(pa.field("element", f.type.value_type, nullable=False)), False)
    for f in SPARSE_VECTOR
)
_VECTOR_NUMBERS = {
    DataType.FLOAT_VECTOR: pa.float32(),
    DataType.FLOAT16_VECTOR: pa.float16(),
    DataType.BFLOAT16_VECTOR: pa.uint16(),
    DataType.INT8_VECTOR: pa.int8(),
}
_Convert = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
_WIDEN: Mapping[DataType, _Convert] = {
    DataType.FLOAT16_VECTOR: lambda floats: widen_float16(floats.view(np.uint16)),
    DataType.BFLOAT16_VECTOR: widen_bfloat16,
}
_NARROW: Mapping[DataType, _Convert] = {
    DataType.FLOAT16_VECTOR: lambda floats: narrow_float16(floats).view(np.float16),
    DataType.BFLOAT16_VECTOR: narrow_bfloat16,
}


def arrow_type(field: Field) -> pa.DataType:
    """The Arrow type of a column; `Invalid` naming the field when its type is not served."""
    kind = _type_of(field)
    if kind is None:
        raise Invalid(
            f"field {field.name!r} has type {field.type.name}, which is not served",
            field=field.name,
        )
    return kind


def _type_of(field: Field) -> pa.DataType | None:
    if field.type in _VECTOR_NUMBERS:
        return pa.list_(_VECTOR_NUMBERS[field.type], field.dim)
    match field.type:
        case DataType.BINARY_VECTOR:
            return pa.list_(pa.uint8(), field.dim // 8)
        case DataType.SPARSE_FLOAT_VECTOR:
            return SPARSE_VECTOR
        case DataType.ARRAY if field.element_type in _SCALARS:
            return pa.list_(_SCALARS[field.element_type])
        case _:
            return _SCALARS.get(field.type)


def arrow_field(field: Field) -> pa.Field:
    """A column with its name; only the dynamic column and nullable fields may hold nulls."""
    return pa.field(field.name, arrow_type(field), nullable=field.nullable or field.dynamic)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of a body of rows, in the order of the fields, an automatic key included."""
    return pa.schema([arrow_field(f) for f in schema.fields])


def file_schema(schema: Schema) -> pa.Schema:
    """The columns of an insert log: those of the rows, then `_row_id` and `_timestamp`."""
    return pa.schema([*map(_file_field, schema.fields), *OWN_FIELDS])


def in_file(column: pa.Array | pa.ChunkedArray, kind: DataType) -> pa.Array | pa.ChunkedArray:
    """A column of fields of a type with the Arrow type that it has in files; no value is copied but
    16-bit floats."""
    if isinstance(column, pa.ChunkedArray):
        return _each(column, lambda c: in_file(c, kind), _file_type(column.type, kind))
    if kind in _WIDEN:
        column = _converted(column, _WIDEN[kind])
    return _as_type(column, _file_type(column.type, kind))


def in_memory(column: pa.Array | pa.ChunkedArray, kind: DataType) -> pa.Array | pa.ChunkedArray:
    """A column of a file with the type that `arrow_type` says; no value is copied but 16-bit
    floats."""
    if isinstance(column, pa.ChunkedArray):
        return _each(column, lambda c: in_memory(c, kind), _memory_type(column.type, kind))
    if kind in _NARROW and column.type != _memory_type(column.type, kind):
        column = _converted(column, _NARROW[kind])
    return _as_type(column, _memory_type(column.type, kind))


def stored_kind(field: pa.Field) -> DataType:
    """What a field of a file says that it is; NONE where its Arrow type says all."""
    name = (field.metadata or {}).get(TYPE_METADATA, b"NONE").decode()
    try:
        return DataType[name]
    except KeyError:
        raise Corrupt(f"column {field.name!r} has type {name}, which is not known here") from None


def key_type(schema: Schema) -> pa.DataType:
    """The Arrow type of the key: int64 or string."""
    return arrow_type(schema.key)


def _file_field(field: Field) -> pa.Field:
    made = arrow_field(field)
    stored = made.with_type(_file_type(made.type, field.type))
    if not field.type.is_vector or field.type == DataType.FLOAT_VECTOR:
        return stored
    return stored.with_metadata({TYPE_METADATA: field.type.name.encode()})


def _file_type(kind: pa.DataType, of: DataType) -> pa.DataType:
    if of == DataType.SPARSE_FLOAT_VECTOR:
        return _SPARSE_IN_FILE
    if not pa.types.is_fixed_size_list(kind):
        return kind
    number = pa.float32() if of in _WIDEN else kind.value_type
    return pa.list_(pa.field("element", number, nullable=False), kind.list_size)


def _memory_type(kind: pa.DataType, of: DataType) -> pa.DataType:
    if of == DataType.SPARSE_FLOAT_VECTOR:
        return SPARSE_VECTOR
    if not pa.types.is_fixed_size_list(kind):
        return kind
    return pa.list_(_VECTOR_NUMBERS[of] if of in _NARROW else kind.value_type, kind.list_size)


def _each(
    column: pa.ChunkedArray, change: Callable[[pa.Array], pa.Array], kind: pa.DataType
) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    return pa.chunked_array([change(c) for c in column.chunks], type=kind)


def _converted(column: pa.FixedSizeListArray, convert: _Convert) -> pa.FixedSizeListArray:
    """The same lists of other numbers, from the first row on, nulls where they were."""
    width = column.type.list_size
    numbers = column.values.slice(column.offset * width, len(column) * width)
    kind = numbers.type.to_pandas_dtype()
    # Not `to_numpy`, which would take the numbers of null rows for nulls.
    raw = np.frombuffer(numbers.buffers()[1] or b"", kind)[numbers.offset :][: len(numbers)]
    mask = column.is_null() if column.null_count else None
    return pa.FixedSizeListArray.from_arrays(pa.array(convert(raw)), width, mask=mask)


def _as_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The same buffers under another type of the same layout."""
    if column.type == kind:
        return column
    if pa.types.is_struct(kind):
        members = [_as_type(column.field(n), m.type) for n, m in enumerate(kind)]
        mask = column.is_null() if column.null_count else None
        return pa.StructArray.from_arrays(members, fields=list(kind), mask=mask)
    own = 1 if pa.types.is_fixed_size_list(kind) else 2  # buffers: of nulls, of offsets
    return pa.Array.from_buffers(
        kind, len(column), column.buffers()[:own], offset=column.offset, children=[column.values]
    )
