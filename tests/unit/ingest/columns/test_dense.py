"""Dense vectors: numbers of other types, packed ones, and what is wrong with some."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headrace.binlog.columns import arrow_type
from headrace.ingest.columns.dense import read_dense
from headrace.ingest.faults import Unfit
from headrace.model.schema import DataType, Field


def field(kind: DataType, dim: int) -> Field:
    """A vector field."""
    return Field(id=100, name="v", type=kind, dim=dim)


def bits_of(column: pa.Array) -> list[int]:
    """The numbers of 16-bit vectors, as bits."""
    found: list[int] = np.frombuffer(column.flatten().to_numpy().tobytes(), np.uint16).tolist()
    return found


LISTS = [
    pa.list_(pa.float32(), 2),
    pa.list_(pa.float32()),
    pa.large_list(pa.float64()),
    pa.list_(pa.int64()),
    pa.list_(pa.float16()),
]


@pytest.mark.parametrize("kind", LISTS)
def test_any_list_of_numbers_is_a_float_vector(kind: pa.DataType) -> None:
    numbers = np.array([1, 2, 3, 4], kind.value_type.to_pandas_dtype())
    rows = [numbers[:2], numbers[2:]]
    to = field(DataType.FLOAT_VECTOR, 2)
    found = read_dense(to, pa.array(rows, kind))
    assert found.type == arrow_type(to)
    assert found.to_pylist() == [[1, 2], [3, 4]]


def test_a_float_vector_is_not_copied() -> None:
    column = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(8, np.float32)), 2)
    found = read_dense(field(DataType.FLOAT_VECTOR, 2), column)
    assert found.values.buffers()[1].address == column.values.buffers()[1].address


def test_slices_are_read_as_what_they_show() -> None:
    column = pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2)).slice(1)
    found = read_dense(field(DataType.FLOAT_VECTOR, 2), column)
    assert found.to_pylist() == [[3, 4], [5, 6]]


def test_half_floats_are_rounded_to_the_nearest() -> None:
    column = pa.array([[1.0, 1.00390625, 1.01171875]], pa.list_(pa.float32()))
    found = read_dense(field(DataType.BFLOAT16_VECTOR, 3), column)
    assert bits_of(found) == [0x3F80, 0x3F80, 0x3F82]
    floats = read_dense(field(DataType.FLOAT16_VECTOR, 3), column)
    assert floats.to_pylist() == [np.array([1.0, 1.00390625, 1.01171875], np.float16).tolist()]


def test_what_was_a_half_float_stays_what_it_was() -> None:
    bits = np.array([b for b in range(1 << 16) if (b & 0x7F80) != 0x7F80], np.uint16)
    to = field(DataType.BFLOAT16_VECTOR, len(bits))
    wide = (bits.astype(np.uint32) << 16).view(np.float32)
    floats = pa.FixedSizeListArray.from_arrays(pa.array(wide), len(bits))
    assert bits_of(read_dense(to, floats)) == bits.tolist()
    raw = pa.FixedSizeListArray.from_arrays(pa.array(bits), len(bits))
    assert bits_of(read_dense(to, raw)) == bits.tolist()


def test_packed_bytes_are_vectors_of_every_kind() -> None:
    packed = pa.array([b"\x01\x02\x03\x04", b"\x05\x06\x07\x08"], pa.binary(4))
    assert read_dense(field(DataType.BINARY_VECTOR, 32), packed).to_pylist()[0] == [1, 2, 3, 4]
    assert read_dense(field(DataType.INT8_VECTOR, 4), packed).to_pylist()[1] == [5, 6, 7, 8]
    assert bits_of(read_dense(field(DataType.FLOAT16_VECTOR, 2), packed))[0] == 0x0201


UNFIT: list[tuple[Field, pa.Array, str]] = [
    (
        field(DataType.FLOAT_VECTOR, 3),
        pa.array([[1.0]]),
        "a vector of dim 1, but the field has dim 3",
    ),
    (field(DataType.BINARY_VECTOR, 16), pa.array([[1]], pa.list_(pa.uint8(), 1)), "of dim 8, but"),
    (field(DataType.FLOAT_VECTOR, 2), pa.array([[1.0, None]]), "with a null in it"),
    (field(DataType.FLOAT_VECTOR, 1), pa.array([[float("nan")]]), "NaN and infinity"),
    (field(DataType.FLOAT_VECTOR, 1), pa.array([[1e39]]), "NaN and infinity"),
    (field(DataType.FLOAT16_VECTOR, 1), pa.array([[70000.0]]), "NaN and infinity"),
    (field(DataType.BFLOAT16_VECTOR, 1), pa.array([[float("nan")]]), "NaN and infinity"),
    (field(DataType.INT8_VECTOR, 1), pa.array([[200]]), "200 is no whole number between -128"),
    (field(DataType.INT8_VECTOR, 1), pa.array([[1.5]]), "1.5 is no whole number"),
    (field(DataType.INT8_VECTOR, 4), pa.array([b"abc"]), "3 bytes, but a vector of dim 4 has 4"),
]


@pytest.mark.parametrize(("to", "column", "words"), UNFIT)
def test_what_does_not_fit_is_said(to: Field, column: Any, words: str) -> None:
    with pytest.raises(Unfit, match=words):
        read_dense(to, column)
