"""How the numbers of each kind of dense vector are stored in pages.

Parquet has floats of 32 bits and integers of 32 bits, and every reader knows lists of those. So a
float of 16 bits is a float of 32 of the same value, and a byte an integer of 32 bits: with a
dictionary of *all* 65,536 or 256 values, in the order of their bits, an index has as many bits as
the number, and the indices are the numbers as they came. (Parquet's own `Float16` is refused by
Spark, and PyArrow writes it at ten times the cost.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from headrace.binlog.parquet.float16 import (
    Bits16,
    Floats,
    narrow_bfloat16,
    narrow_float16,
    widen_bfloat16,
    widen_float16,
)
from headrace.binlog.parquet.page_heads import Physical
from headrace.model.schema import DataType

# A chunk of fewer 16-bit floats is smaller without its dictionary of 256 KiB.
FLOATS16_WITH_DICTIONARY = 1 << 17


@dataclass(frozen=True, slots=True)
class VectorEncoding:
    """One kind. `number_bytes` = of a number in memory, and of an index where there are any."""

    kind: DataType
    number_bytes: int
    physical: Physical

    @property
    def indexed(self) -> bool:
        return self.kind != DataType.FLOAT_VECTOR

    def indexes(self, numbers: int) -> bool:
        """Whether so many of them are stored as indices."""
        return self.indexed and (self.number_bytes == 1 or numbers > FLOATS16_WITH_DICTIONARY)

    @property
    def dictionary(self) -> bytes:
        return _dictionary_of(self.kind)

    def widened(self, bits: Bits16) -> Floats:
        return (widen_float16 if self.kind == DataType.FLOAT16_VECTOR else widen_bfloat16)(bits)

    def narrowed(self, floats: Floats) -> Bits16:
        """The 16-bit floats back."""
        narrow = narrow_float16 if self.kind == DataType.FLOAT16_VECTOR else narrow_bfloat16
        return narrow(floats)


VECTOR_ENCODINGS: Mapping[DataType, VectorEncoding] = {
    kind: VectorEncoding(kind, number_bytes, physical)
    for kind, number_bytes, physical in (
        (DataType.FLOAT_VECTOR, 4, Physical.FLOAT),
        (DataType.FLOAT16_VECTOR, 2, Physical.FLOAT),
        (DataType.BFLOAT16_VECTOR, 2, Physical.FLOAT),
        (DataType.INT8_VECTOR, 1, Physical.INT32),
        (DataType.BINARY_VECTOR, 1, Physical.INT32),
    )
}


@cache
def _dictionary_of(kind: DataType) -> bytes:
    every_float16 = np.arange(1 << 16, dtype=np.uint16)
    every_byte = np.arange(1 << 8, dtype=np.uint8)
    match kind:
        case DataType.FLOAT16_VECTOR:
            return widen_float16(every_float16).tobytes()
        case DataType.BFLOAT16_VECTOR:
            return widen_bfloat16(every_float16).tobytes()
        case DataType.INT8_VECTOR:
            return every_byte.view(np.int8).astype(np.int32).tobytes()
        case _:
            assert kind == DataType.BINARY_VECTOR, kind
            return every_byte.astype(np.int32).tobytes()
