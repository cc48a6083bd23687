"""Columns: how a collection's schema looks in Arrow, in the log's bodies and in files.

**Owns** the Arrow type of every served data type, and the own columns of files. **Does not own**
Parquet settings (`binlog.insert_log`), defaults or checks of values (the proxy).

A float vector is Arrow's fixed-size list, so a column of them is one flat run of floats. JSON and
the dynamic column hold JSON text. `_row_id` and `_timestamp` are int64: both are below 2**63, and
Spark, which has no unsigned integers, reads an unsigned column as a decimal.
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
    return pa.schema([*arrow_schema(schema), *OWN_FIELDS])


def key_type(schema: Schema) -> pa.DataType:
    """The Arrow type of the key: int64 or string."""
    return arrow_type(schema.key)


def vector_names(schema: Schema) -> tuple[str, ...]:
    """Names of the vector columns, in the order of the fields."""
    return tuple(f.name for f in schema.fields if f.type.is_vector)
