"""Columns: how a collection's schema looks in Arrow, in the log's bodies and in files.

**Owns** the Arrow type of every served data type, and the own columns of files. **Does not own**
Parquet settings (`binlog.insert_log`), defaults or checks of values (the proxy).

A float vector is Arrow's fixed-size list, so a column of them is one flat run of floats. JSON and
the dynamic column hold JSON text. `_row_id` and `_timestamp` are int64: both are below 2**63, and
Spark, which has no unsigned integers, reads an unsigned column as a decimal.

In files the elements of a vector are declared non-null, which they are: PyArrow then writes them
with 15 % and reads them with 25 % less CPU. In memory they have Arrow's default type, which is what
people write. `in_file` and `in_memory` go from one to the other without touching the floats.
"""

import pyarrow as pa

from headrace.model.errors import Invalid
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


def arrow_type(field: Field) -> pa.DataType:
    """The Arrow type of a column; `Invalid` naming the field when its type is not served."""
    scalar = _SCALARS.get(field.type)
    if scalar is not None:
        return scalar
    if field.type == DataType.FLOAT_VECTOR:
        return pa.list_(pa.float32(), field.dim)
    raise Invalid(
        f"field {field.name!r} has type {field.type.name}, which is not served", field=field.name
    )


def arrow_field(field: Field) -> pa.Field:
    """A column with its name; only the dynamic column and nullable fields may hold nulls."""
    return pa.field(field.name, arrow_type(field), nullable=field.nullable or field.dynamic)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of a body of rows, in the order of the fields, an automatic key included."""
    return pa.schema([arrow_field(f) for f in schema.fields])


def file_schema(schema: Schema) -> pa.Schema:
    """The columns of an insert log: those of the rows, then `_row_id` and `_timestamp`."""
    fields = [f.with_type(_file_type(f.type)) for f in arrow_schema(schema)]
    return pa.schema([*fields, *OWN_FIELDS])


def in_file(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column with the type that it has in files; no value is copied."""
    return _as_type(column, _file_type(column.type))


def in_memory(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of a file with the type that `arrow_type` says; no value is copied."""
    kind = column.type
    if not pa.types.is_fixed_size_list(kind):
        return column
    return _as_type(column, pa.list_(kind.value_type, kind.list_size))


def key_type(schema: Schema) -> pa.DataType:
    """The Arrow type of the key: int64 or string."""
    return arrow_type(schema.key)


def vector_names(schema: Schema) -> tuple[str, ...]:
    """Names of the vector columns, in the order of the fields."""
    return tuple(f.name for f in schema.fields if f.type.is_vector)


def _file_type(kind: pa.DataType) -> pa.DataType:
    if not pa.types.is_fixed_size_list(kind):
        return kind
    return pa.list_(pa.field("element", kind.value_type, nullable=False), kind.list_size)


def _as_type(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """The same buffers under another type of the same layout."""
    if column.type == kind:
        return column
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([_as_type(c, kind) for c in column.chunks], type=kind)
    return pa.Array.from_buffers(
        kind, len(column), column.buffers()[:1], offset=column.offset, children=[column.values]
    )
