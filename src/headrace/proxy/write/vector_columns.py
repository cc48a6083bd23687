"""Vectors of a request as Arrow arrays: of floats, of bytes, and sparse ones.

Clients send vectors of bytes as one run for all rows, so the Arrow array is a view of the request.
A 16-bit float is not finite when all bits of its exponent are set, which is looked up without
making a number of it. A sparse vector is pairs of an index (uint32) and a value (float32), little
endian, the indices rising: the order in which Milvus stores them, and in which clients send them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.binlog.columns import SPARSE_VECTOR, arrow_type
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message

_EXPONENTS = {DataType.FLOAT16_VECTOR: 0x7C00, DataType.BFLOAT16_VECTOR: 0x7F80}
_PAIR_BYTES = 8
_INDEX_MAX = 2**32 - 2  # Milvus keeps the last index for itself


def read_vectors(field: Field, group: Message, rows: int) -> pa.Array:
    """The vectors of a column; `Invalid` naming the first row with one that is wrong."""
    if field.type is DataType.FLOAT_VECTOR:
        return _read_floats(field, group, rows)
    if field.type is DataType.SPARSE_FLOAT_VECTOR:
        return _read_sparse(field, group)
    return _read_bytes(field, group, rows)


def _read_floats(field: Field, group: Message, rows: int) -> pa.Array:
    numbers = np.asarray(group.float_vector.data, dtype=np.float32)
    _check_length(field, group, len(numbers), rows, field.dim)
    finite = np.isfinite(numbers)
    if not finite.all():
        place = int(np.argmin(finite))
        raise not_finite(field, place // field.dim, numbers[place])
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers), field.dim)


def _read_bytes(field: Field, group: Message, rows: int) -> pa.Array:
    """Vectors that travel as one run of bytes: binary, 16-bit floats, int8."""
    raw: bytes = getattr(group, group.WhichOneof("data") or "binary_vector")
    kind = arrow_type(field)
    number_bytes = kind.value_type.bit_width // 8
    row_bytes = kind.list_size * number_bytes
    per_number = field.dim // kind.list_size  # of a binary vector 8 in a byte
    numbers: float = len(raw) // number_bytes * per_number
    if len(raw) % number_bytes:
        numbers = len(raw) / number_bytes  # which no rows have
    _check_length(field, group, numbers, rows, field.dim)
    exponent = _EXPONENTS.get(field.type)
    if exponent is not None:
        finite = (np.frombuffer(raw, np.uint16) & exponent) != exponent
        if not finite.all():
            raise Refusal.NOT_FINITE.of(field.name, row=int(np.argmin(finite)) // field.dim)
    values = pa.Array.from_buffers(
        kind.value_type, len(raw) // number_bytes, [None, pa.py_buffer(raw)]
    )
    found = pa.FixedSizeListArray.from_arrays(values, kind.list_size)
    assert len(found) * row_bytes == len(raw)
    return found


def _read_sparse(field: Field, group: Message) -> pa.Array:
    """Sparse vectors; one without any pair is a vector, too."""
    contents: list[bytes] = group.sparse_float_vector.contents[:]
    lengths = np.fromiter(map(len, contents), np.int64, len(contents))
    broken = lengths % _PAIR_BYTES != 0
    if broken.any():
        row = int(np.argmax(broken))
        raise Refusal.SPARSE_LENGTH.of(field.name, row=row, got=int(lengths[row]))
    pairs = np.frombuffer(b"".join(contents), np.dtype([("index", "<u4"), ("value", "<f4")]))
    ends = np.cumsum(lengths // _PAIR_BYTES)
    indices, values = pairs["index"].copy(), pairs["value"].copy()
    _check_pairs(field, indices, values, ends)
    offsets = pa.array(np.concatenate(([0], ends)).astype(np.int32))
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(indices)),
        pa.ListArray.from_arrays(offsets, pa.array(values)),
    ]
    return pa.StructArray.from_arrays(lists, fields=list(SPARSE_VECTOR))


def _check_pairs(
    field: Field,
    indices: npt.NDArray[np.uint32],
    values: npt.NDArray[np.float32],
    ends: npt.NDArray[np.int64],
) -> None:
    def row_of(pair: int) -> int:
        return int(np.searchsorted(ends, pair, side="right"))

    if len(indices) == 0:
        return
    finite = np.isfinite(values)
    if not finite.all():
        pair = int(np.argmin(finite))
        raise not_finite(field, row_of(pair), values[pair])
    large = indices > _INDEX_MAX
    if large.any():
        pair = int(np.argmax(large))
        raise Refusal.SPARSE_INDEX.of(field.name, row=row_of(pair), got=int(indices[pair]))
    falls = np.zeros(len(indices), np.bool_)
    falls[1:] = indices[1:] <= indices[:-1]
    falls[ends[ends < len(indices)]] = False  # the first of a row follows none
    if falls.any():
        raise Refusal.SPARSE_ORDER.of(field.name, row=row_of(int(np.argmax(falls))))


def not_finite(field: Field, row: int, number: np.floating[Any]) -> Invalid:
    """The error for a number of a column. Clients make infinity of what a 32-bit float can not
    hold before they send it, so the two can not be told apart."""
    narrow = number.dtype == np.float32 and np.isinf(number)
    refusal = Refusal.FLOAT_LARGE if narrow else Refusal.NOT_FINITE
    return refusal.of(field.name, row=row)


def _check_length(field: Field, group: Message, got: float, rows: int, dim: int) -> None:
    if group.dim != dim and (got or group.dim):
        raise Refusal.WRONG_DIM.of(field.name, wanted=dim, got=group.dim)
    if got % dim == 0 and got < rows * dim:
        raise Refusal.COLUMN_SHORT.of(field.name, got=int(got // dim), rows=rows)
    if got != rows * dim:
        raise Refusal.VECTOR_LENGTH.of(field.name, got=got, rows=rows, dim=dim, wanted=rows * dim)
