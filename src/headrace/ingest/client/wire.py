"""Arrow columns as Milvus's Insert request, byte for byte, without a loop over rows.

Protobuf keeps numbers of one column as one packed run: floats are the bytes of the Arrow buffer,
whole numbers are varints, which numpy makes for all at once. What is a message of its own for each
row (a text, an array, a sparse vector) is framed by Arrow: the runs "tag and length" and the values
are joined pairwise, and the buffer of the result is the encoding. The same columns always make the
same bytes, which the idempotency key rests on. (The generated code takes numbers one by one through
Python objects; it is the reference in tests.)

Formats: https://protobuf.dev/programming-guides/encoding, field numbers of Milvus's schema.proto.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.parquet.thrift import unsigned
from headrace.model.schema import DataType, Field
from headrace.proxy.milvus import pb, schema_pb

Parts: TypeAlias = list[Any]  # whatever has a buffer, in order
Numbers: TypeAlias = npt.NDArray[np.int64]

_VARINT, _BYTES = 0, 2  # wire types


def _numbers(message: Any) -> Mapping[str, int]:
    return {field.name: field.number for field in message.DESCRIPTOR.fields}


_REQUEST = _numbers(pb.InsertRequest)
_DATA = _numbers(schema_pb.FieldData)
_SCALARS = _numbers(schema_pb.ScalarField)
_VECTORS = _numbers(schema_pb.VectorField)
_ARRAY = _numbers(schema_pb.ArrayArray)
_SPARSE = _numbers(schema_pb.SparseFloatArray)
_VALUES = 1  # of LongArray and the like: their one field, `data`

_MEMBERS = {
    DataType.BOOL: "bool_data",
    DataType.INT8: "int_data",
    DataType.INT16: "int_data",
    DataType.INT32: "int_data",
    DataType.INT64: "long_data",
    DataType.FLOAT: "float_data",
    DataType.DOUBLE: "double_data",
    DataType.VARCHAR: "string_data",
    DataType.JSON: "json_data",
}
_BYTE_VECTORS = {
    DataType.BINARY_VECTOR: "binary_vector",
    DataType.FLOAT16_VECTOR: "float16_vector",
    DataType.BFLOAT16_VECTOR: "bfloat16_vector",
    DataType.INT8_VECTOR: "int8_vector",
}
_NUMBERS = frozenset({DataType.FLOAT, DataType.DOUBLE})
_TEXTS = frozenset({DataType.VARCHAR, DataType.JSON})


def insert_request(
    collection: str, fields: Sequence[Field], columns: Sequence[pa.Array], *, partition: str = ""
) -> bytes:
    """The bytes of an InsertRequest. Each column has the type of `binlog.columns.arrow_type`."""
    parts: Parts = _text(_REQUEST["collection_name"], collection)
    if partition:
        parts += _text(_REQUEST["partition_name"], partition)
    for field, column in zip(fields, columns, strict=True):
        parts += _nested(_REQUEST["fields_data"], _field_data(field, column))
    parts += _whole(_REQUEST["num_rows"], len(columns[0]))
    return b"".join(parts)


def _field_data(field: Field, column: pa.Array) -> Parts:
    parts = _whole(_DATA["type"], int(field.type))
    if not field.dynamic:
        parts += _text(_DATA["field_name"], field.name)
    present = column.drop_null() if column.null_count else column
    if field.type.is_vector:
        parts += _nested(_DATA["vectors"], _vectors(field, present))
    else:
        parts += _nested(_DATA["scalars"], _scalars(field, present))
    if field.dynamic:
        parts += _whole(_DATA["is_dynamic"], 1)
    if column.null_count:
        valid = column.is_valid().cast(pa.uint8()).to_numpy()
        parts += _nested(_DATA["valid_data"], [valid])
    return parts


def _scalars(field: Field, column: pa.Array) -> Parts:
    if field.type == DataType.ARRAY:
        return _nested(_SCALARS["array_data"], _arrays(field, column))
    member = _SCALARS[_MEMBERS[field.type]]
    if field.type in _TEXTS:
        return _nested(member, [_run(framed(column.cast(pa.binary()), _VALUES))])
    return _nested(member, _nested(_VALUES, [_packed(field.type, column)[0]]))


def _arrays(field: Field, column: pa.ListArray) -> Parts:
    """Every row is a ScalarField: the elements are encoded as one column and cut by rows."""
    elements = column.flatten()
    ends = np.cumsum(pc.list_value_length(column).to_numpy().astype(np.int64))
    if field.element_type in _TEXTS:
        encoded = framed(elements.cast(pa.binary()), _VALUES)
        raw, places = np.frombuffer(_run(encoded), np.uint8), _offsets(encoded)
        rows = _binary(raw, (places - places[0])[np.concatenate(([0], ends))])
    else:
        raw, widths = _packed(field.element_type, elements)
        places = np.concatenate(([0], np.cumsum(widths)))
        rows = framed(_binary(raw, places[np.concatenate(([0], ends))]), _VALUES)
    fields = framed(rows, _SCALARS[_MEMBERS[field.element_type]])
    return [
        _run(framed(fields, _ARRAY["data"])),
        *_whole(_ARRAY["element_type"], int(field.element_type)),
    ]


def _vectors(field: Field, column: pa.Array) -> Parts:
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        return _sparse(column)
    raw = column.flatten().to_numpy()
    dim = _whole(_VECTORS["dim"], field.dim)
    if field.type == DataType.FLOAT_VECTOR:
        return dim + _nested(_VECTORS["float_vector"], _nested(_VALUES, [raw]))
    return dim + _nested(_VECTORS[_BYTE_VECTORS[field.type]], [raw])


def _sparse(column: pa.StructArray) -> Parts:
    indices, values = column.flatten()
    counts = pc.list_value_length(indices).to_numpy().astype(np.int64)
    flat = indices.flatten().to_numpy()
    pairs = np.empty(len(flat), np.dtype([("index", "<u4"), ("value", "<f4")]))
    pairs["index"], pairs["value"] = flat, values.flatten().to_numpy()
    offsets = np.concatenate(([0], np.cumsum(counts))) * pairs.itemsize
    rows = _binary(pairs.view(np.uint8), offsets)
    dim = int(flat.max()) + 1 if len(flat) else 0
    sparse = [_run(framed(rows, _SPARSE["contents"])), *_whole(_SPARSE["dim"], dim)]
    return _whole(_VECTORS["dim"], dim) + _nested(_VECTORS["sparse_float_vector"], sparse)


def _packed(kind: DataType, column: pa.Array) -> tuple[npt.NDArray[Any], Numbers]:
    """The values of a column of numbers as one run, and how many bytes each of them takes."""
    if kind in _NUMBERS:
        raw = column.to_numpy()
        return raw.view(np.uint8), np.full(len(raw), raw.itemsize)
    if kind == DataType.BOOL:
        return column.cast(pa.uint8()).to_numpy(), np.ones(len(column), np.int64)
    return varints(column.to_numpy().astype(np.int64).view(np.uint64))


def varints(values: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint8], Numbers]:
    """The varints of all values as one run of bytes, and how many each of them takes."""
    if len(values) == 0:
        return np.zeros(0, np.uint8), np.zeros(0, np.int64)
    groups = max(1, (int(values.max()).bit_length() + 6) // 7)
    widths = np.ones(len(values), np.int64)
    for group in range(1, groups):
        widths += values >= np.uint64(1 << 7 * group)
    places = np.arange(groups)
    made = (values[:, None] >> (np.uint64(7) * places.astype(np.uint64))) & np.uint64(0x7F)
    made |= np.where(places < widths[:, None] - 1, np.uint64(0x80), np.uint64(0))
    return made.astype(np.uint8)[places < widths[:, None]], widths


def framed(values: pa.BinaryArray, number: int) -> pa.BinaryArray:
    """Each value as the length-delimited field of that number; there are no nulls."""
    if len(values) == 0:
        return values
    raw, widths = varints(np.diff(_offsets(values)).astype(np.uint64))
    tag = np.frombuffer(_tag(number, _BYTES), np.uint8)
    ends = np.cumsum(widths + len(tag))
    heads = np.empty(int(ends[-1]), np.uint8)
    starts = ends - widths - len(tag)
    is_tag = np.zeros(len(heads), np.bool_)
    for place, byte in enumerate(tag):
        heads[starts + place] = byte
        is_tag[starts + place] = True
    heads[~is_tag] = raw
    return pc.binary_join_element_wise(_binary(heads, np.concatenate(([0], ends))), values, b"")


def _binary(raw: npt.NDArray[np.uint8], offsets: Numbers) -> pa.BinaryArray:
    places = offsets.astype(np.int32)
    buffers = [None, pa.py_buffer(places), pa.py_buffer(np.ascontiguousarray(raw))]
    return pa.Array.from_buffers(pa.binary(), len(places) - 1, buffers)


def _offsets(values: pa.BinaryArray) -> Numbers:
    places = np.frombuffer(values.buffers()[1], np.int32)
    return places[values.offset : values.offset + len(values) + 1].astype(np.int64)


def _run(values: pa.BinaryArray) -> Any:
    if len(values) == 0:
        return b""
    offsets = _offsets(values)
    data = values.buffers()[2]
    return b"" if data is None else memoryview(data)[int(offsets[0]) : int(offsets[-1])]


def _nested(number: int, parts: Parts) -> Parts:
    size = sum(memoryview(part).nbytes for part in parts)
    return [_tag(number, _BYTES) + unsigned(size), *parts]


def _text(number: int, text: str) -> Parts:
    return _nested(number, [text.encode()])


def _whole(number: int, value: int) -> Parts:
    return [_tag(number, _VARINT) + unsigned(value)]


def _tag(number: int, wire_type: int) -> bytes:
    return unsigned(number << 3 | wire_type)
