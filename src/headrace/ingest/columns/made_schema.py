"""The schema that `--create` makes for a file: from Arrow's types to Milvus's.

A column of lists of floats that all have the same length in the first rows is a float vector,
whether or not its type says so: most tools write vectors as plain lists.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import stored_kind
from headrace.ingest.columns.convert import plain_type
from headrace.model.errors import Invalid
from headrace.model.schema import DYNAMIC_FIELD, FIRST_FIELD_ID, DataType, Field, Schema

TEXT_BYTES_MAX = 65_535  # the most that Milvus allows
CAPACITY_MAX = 4096
_SCALARS = {
    pa.bool_(): DataType.BOOL,
    pa.int8(): DataType.INT8,
    pa.int16(): DataType.INT16,
    pa.int32(): DataType.INT32,
    pa.int64(): DataType.INT64,
    pa.uint8(): DataType.INT16,
    pa.uint16(): DataType.INT32,
    pa.uint32(): DataType.INT64,
    pa.uint64(): DataType.INT64,  # above its range a row does not fit
    pa.float16(): DataType.FLOAT,
    pa.float32(): DataType.FLOAT,
    pa.float64(): DataType.DOUBLE,
}
_VECTORS = {
    pa.float64(): DataType.FLOAT_VECTOR,
    pa.float32(): DataType.FLOAT_VECTOR,
    pa.float16(): DataType.FLOAT16_VECTOR,
    pa.uint16(): DataType.BFLOAT16_VECTOR,
    pa.int8(): DataType.INT8_VECTOR,
    pa.uint8(): DataType.BINARY_VECTOR,
}


def likely_fields(
    source: str, sample: Callable[[bool], pa.RecordBatch], vectors: Sequence[str]
) -> list[Field]:
    """`fields_of` a sample; where no column is surely a vector, those are taken that mostly are, as
    the sample of `True` has them: the rows where they are not will be named."""
    fields = fields_of(source, sample(False), vectors)
    if any(f.type.is_vector for f in fields):
        return fields
    return fields_of(source, sample(True), vectors, majority=True)


def fields_of(
    source: str, sample: pa.RecordBatch, vectors: Sequence[str], *, majority: bool = False
) -> list[Field]:
    """A field for every column of a sample of a source; `vectors` must become float vectors.

    `Invalid` naming the column that has no type here. Scalars are nullable, vectors are not.
    """
    for name in vectors:
        if name not in sample.schema.names:
            raise Invalid(f"--vector {name}: {source} has no such column")
    fields = []
    for number, name in enumerate(sample.schema.names):
        made = _field(source, name, sample.column(name), name in vectors, majority)
        stored = stored_kind(sample.schema.field(name))  # of a file that Headrace wrote
        if stored.is_vector and made.type.is_vector:
            made = replace(made, type=stored)
        fields.append(replace(made, id=FIRST_FIELD_ID + number, name=name))
    return fields


def _field(source: str, name: str, column: pa.Array, vector: bool, majority: bool) -> Field:
    t, kind = pa.types, plain_type(column.type)
    if name == DYNAMIC_FIELD:
        return Field(id=0, name=name, type=DataType.JSON, dynamic=True)
    lists = t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)
    looks = _majority_vectors if majority else _looks_like_vectors
    if lists and (vector or t.is_fixed_size_list(kind) or looks(column, kind)):
        found = _vector(name, column, kind)
        if found is not None:
            return found
    if vector:
        raise Invalid(f"--vector {name}: {source} has no lists of numbers of one length there")
    if lists and (element := _scalar(kind.value_type)) is not None:
        return Field(
            id=0,
            name=name,
            type=DataType.ARRAY,
            element_type=element,
            max_capacity=CAPACITY_MAX,
            max_length=TEXT_BYTES_MAX if element == DataType.VARCHAR else 0,
            nullable=True,
        )
    if t.is_map(kind) and t.is_integer(kind.key_type) and t.is_floating(kind.item_type):
        return Field(id=0, name=name, type=DataType.SPARSE_FLOAT_VECTOR)
    if t.is_struct(kind) and {f.name for f in kind} == {"indices", "values"}:
        return Field(id=0, name=name, type=DataType.SPARSE_FLOAT_VECTOR)
    if lists or t.is_struct(kind) or t.is_map(kind):
        return Field(id=0, name=name, type=DataType.JSON, nullable=True)
    scalar = _scalar(kind)
    if scalar is None:
        raise Invalid(
            f"{source}: column {name!r} has type {kind}, which becomes no field: leave it out "
            "(--columns names those that are read)"
        )
    length = TEXT_BYTES_MAX if scalar == DataType.VARCHAR else 0
    return Field(id=0, name=name, type=scalar, max_length=length, nullable=True)


def _scalar(kind: pa.DataType) -> DataType | None:
    t = pa.types
    if t.is_string(kind) or t.is_large_string(kind) or t.is_temporal(kind) or t.is_decimal(kind):
        return DataType.VARCHAR
    return _SCALARS.get(kind)


def _looks_like_vectors(column: pa.Array, kind: pa.DataType) -> bool:
    if not pa.types.is_floating(kind.value_type) or column.null_count:
        return False
    ends = pc.min_max(pc.list_value_length(column))
    return len(column) > 0 and ends["min"].as_py() == ends["max"].as_py() > 1


def _majority_vectors(column: pa.Array, kind: pa.DataType) -> bool:
    usual = pc.mode(pc.list_value_length(column))
    if not pa.types.is_floating(kind.value_type) or not len(usual):
        return False
    return bool(usual[0]["mode"].as_py() > 1 and 2 * usual[0]["count"].as_py() > len(column))


def _vector(name: str, column: pa.Array, kind: pa.DataType) -> Field | None:
    number = kind.value_type
    vector = _VECTORS.get(number)
    if pa.types.is_integer(number) and vector is None:
        vector = DataType.FLOAT_VECTOR
    if vector is None:
        return None
    if pa.types.is_fixed_size_list(kind):
        dim = kind.list_size
    else:
        usual = pc.mode(pc.list_value_length(column))  # some rows may be the wrong ones
        dim = usual[0]["mode"].as_py() if len(usual) else 0
    if dim == 0:
        return None
    return Field(
        id=0, name=name, type=vector, dim=dim * (8 if vector == DataType.BINARY_VECTOR else 1)
    )


def made_schema(source: str, fields: Sequence[Field], key: str | None, dynamic: bool) -> Schema:
    """The schema with that key; `Invalid` when it can be none."""
    if key is None:
        raise Invalid(
            "--create needs --key COLUMN, the column whose values tell rows apart; "
            f"{source} has " + ", ".join(f.name for f in fields)
        )
    known = next((f for f in fields if f.name == key), None)
    if known is None:
        names = ", ".join(f.name for f in fields)
        raise Invalid(f"--key {key}: {source} has no such column; it has {names}")
    wanted = _key_type(source, known)
    if not any(f.type.is_vector for f in fields):
        raise Invalid(
            f"{source} has no column that is surely a vector, and a collection needs one: "
            "name it with --vector COLUMN"
        )
    made = [
        replace(f, type=wanted, primary=True, nullable=False) if f is known else f
        for f in fields
        if not f.dynamic
    ]
    if dynamic or any(f.dynamic for f in fields):
        last = FIRST_FIELD_ID + len(made)
        made.append(Field(id=last, name=DYNAMIC_FIELD, type=DataType.JSON, dynamic=True))
    return Schema(fields=tuple(replace(f, id=FIRST_FIELD_ID + n) for n, f in enumerate(made)))


def _key_type(source: str, key: Field) -> DataType:
    if key.type in (DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64):
        return DataType.INT64
    if key.type == DataType.VARCHAR:
        return DataType.VARCHAR
    raise Invalid(
        f"--key {key.name}: {source} has {key.type.name} there; a key is a whole number or a text"
    )
