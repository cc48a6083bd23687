"""A schema with every type, and rows of it as Arrow."""

import numpy as np
import pyarrow as pa

from headrace.binlog.columns import arrow_schema, arrow_type
from headrace.model.schema import DataType, Field, Schema
from support.values.rows import key_field, schema_of

DIM = 16
SCALARS = (
    DataType.BOOL,
    DataType.INT8,
    DataType.INT16,
    DataType.INT32,
    DataType.INT64,
    DataType.FLOAT,
    DataType.DOUBLE,
    DataType.VARCHAR,
)
DENSE = {
    DataType.FLOAT_VECTOR: np.dtype(np.float32),
    DataType.FLOAT16_VECTOR: np.dtype(np.float16),
    DataType.BFLOAT16_VECTOR: np.dtype(np.uint16),
    DataType.INT8_VECTOR: np.dtype(np.int8),
    DataType.BINARY_VECTOR: np.dtype(np.uint8),
}


def every_type() -> Schema:
    """`id`, every scalar, an array of every scalar, JSON, and every vector, named by their types;
    what may be is nullable."""
    kinds = [(t.name, t, DataType.NONE) for t in (*SCALARS, DataType.JSON)]
    kinds += [(f"ARRAY_{t.name}", DataType.ARRAY, t) for t in SCALARS]
    kinds += [(t.name, t, DataType.NONE) for t in (*DENSE, DataType.SPARSE_FLOAT_VECTOR)]
    fields = [
        Field(
            id=101 + n,
            name=name,
            type=kind,
            element_type=element,
            dim=DIM if kind in DENSE else 0,
            nullable=not kind.is_vector,
            max_length=64,
            max_capacity=8,
        )
        for n, (name, kind, element) in enumerate(kinds)
    ]
    return schema_of(key_field(), *fields)


def rows_of(schema: Schema, ids: list[int]) -> pa.RecordBatch:
    """Made-up rows with these keys: vectors of any bits, every third nullable value null."""
    chance = np.random.default_rng(len(ids))
    columns = [_column(chance, f, ids) for f in schema.fields]
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))


def _column(chance: np.random.Generator, field: Field, ids: list[int]) -> pa.Array:
    if field.type in DENSE:
        width = field.dim // 8 if field.type == DataType.BINARY_VECTOR else field.dim
        raw = chance.bytes(len(ids) * width * DENSE[field.type].itemsize)
        numbers = pa.array(np.frombuffer(raw, DENSE[field.type]))
        return pa.FixedSizeListArray.from_arrays(numbers, width)
    return pa.array([_value(field, i) for i in ids], arrow_type(field))


def _value(field: Field, number: int) -> object:
    if field.nullable and number % 3 == 1:
        return None
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        indices = [7 * n for n in range(number % 4)]
        return {"indices": indices, "values": [i / 2 + number for i in indices]}
    if field.type == DataType.ARRAY:
        return [_scalar(field.element_type, number + n) for n in range(number % 5)]
    return _scalar(field.type, number)


def _scalar(kind: DataType, number: int) -> object:
    match kind:
        case DataType.BOOL:
            return number % 2 == 0
        case DataType.FLOAT | DataType.DOUBLE:
            return number / 4
        case DataType.VARCHAR:
            return f"text {number}"
        case DataType.JSON:
            return f'{{"n":{number}}}'
        case _:
            return number % 128
