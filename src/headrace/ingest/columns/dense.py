"""Dense vectors of a file as those of a field: numbers of its type, as many as its dim.

A file may have them as lists of numbers, fixed in size or not, or as packed bytes. The numbers of a
float vector may have 64 or 16 bits or be whole; half floats are rounded to the nearest. A 16-bit
unsigned number in a bfloat16 vector is its bits.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import arrow_type
from headrace.ingest.faults import Unfit
from headrace.model.schema import DataType, Field

_BFLOAT_SHIFT = np.uint32(16)  # a bfloat16 is the upper half of a float
_EXPONENTS = {DataType.FLOAT16_VECTOR: 0x7C00, DataType.BFLOAT16_VECTOR: 0x7F80}


def read_dense(field: Field, column: pa.Array) -> pa.Array:
    """Vectors of `field`'s type; `Unfit` for a wrong dim, a null inside, NaN or infinity."""
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), arrow_type(field))
    kind = arrow_type(field)
    if not hasattr(column.type, "value_type"):
        numbers = _unpacked(field, column)
    else:
        _check_lengths(field, column, kind.list_size)
        inner = column.flatten()
        if inner.null_count:
            raise Unfit("a vector with a null in it can not be stored")
        numbers = _numbers(field, inner)
    _check_finite(field, numbers)
    values = pa.array(numbers)
    if values.type != kind.value_type:
        values = values.view(kind.value_type)
    return pa.FixedSizeListArray.from_arrays(values, kind.list_size)


def _check_lengths(field: Field, column: pa.Array, wanted: int) -> None:
    if pa.types.is_fixed_size_list(column.type):
        if column.type.list_size == wanted:
            return
        got = column.type.list_size
    else:
        ends = pc.min_max(pc.list_value_length(column))
        least, most = ends["min"].as_py(), ends["max"].as_py()
        if least is None or least == most == wanted:
            return
        got = most if least == wanted else least
    factor = field.dim // wanted  # of a binary vector 8 dimensions in a number
    raise Unfit(f"a vector of dim {got * factor}, but the field has dim {field.dim}")


def _numbers(field: Field, inner: pa.Array) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = inner.to_numpy(zero_copy_only=False)
    match field.type:
        case DataType.FLOAT_VECTOR:
            return _narrowed(found)
        case DataType.FLOAT16_VECTOR:
            with np.errstate(over="ignore"):
                return found.astype(np.float16, copy=False)
        case DataType.BFLOAT16_VECTOR if found.dtype == np.uint16:
            return found
        case DataType.BFLOAT16_VECTOR:
            return _bfloat16(_narrowed(found))
        case _:
            return _whole(field, found)


def _narrowed(found: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return found.astype(np.float32, copy=False)


def _bfloat16(floats: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """To the nearest, of two as near to the even one, as processors do."""
    bits = floats.view(np.uint32)
    odd = (bits >> _BFLOAT_SHIFT) & np.uint32(1)
    rounded = (bits + (np.uint32(0x7FFF) + odd)) >> _BFLOAT_SHIFT
    return np.where(np.isfinite(floats), rounded, np.uint32(0x7F80)).astype(np.uint16)


def _whole(field: Field, found: npt.NDArray[Any]) -> npt.NDArray[Any]:
    kind = np.dtype(np.uint8 if field.type == DataType.BINARY_VECTOR else np.int8)
    if found.dtype == kind:
        return found
    limits = np.iinfo(kind)
    fits = (found >= limits.min) & (found <= limits.max) & (found == np.floor(found))
    if not fits.all():
        bad = found[int(np.argmin(fits))]
        raise Unfit(f"{bad} is no whole number between {limits.min} and {limits.max}")
    return found.astype(kind)


def _unpacked(field: Field, column: pa.Array) -> npt.NDArray[Any]:
    number = np.dtype(arrow_type(field).value_type.to_pandas_dtype())
    wanted = arrow_type(field).list_size * number.itemsize
    lengths = pc.binary_length(column)
    ends = pc.min_max(lengths)
    for got in (ends["min"].as_py(), ends["max"].as_py()):
        if got is not None and got != wanted:
            raise Unfit(f"{got} bytes, but a vector of dim {field.dim} has {wanted}")
    raw = b"".join(column.to_pylist())
    return np.frombuffer(raw, number)


def _check_finite(field: Field, numbers: npt.NDArray[Any]) -> None:
    exponent = _EXPONENTS.get(field.type)
    if exponent is not None:
        finite = (numbers.view(np.uint16) & exponent) != exponent
    elif field.type == DataType.FLOAT_VECTOR:
        finite = np.isfinite(numbers)
    else:
        return
    if not finite.all():
        raise Unfit("NaN and infinity can not be stored")
