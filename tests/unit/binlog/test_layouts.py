"""How the numbers of dense vectors are stored."""

import numpy as np
import pytest

from headrace.binlog.layouts import LAYOUTS
from headrace.model.schema import DataType

HALVES = (DataType.FLOAT16_VECTOR, DataType.BFLOAT16_VECTOR)
EVERY_HALF = np.arange(1 << 16, dtype=np.uint16)


@pytest.mark.parametrize("kind", HALVES)
def test_the_dictionary_of_halves_has_each_at_the_place_of_its_bits(kind: DataType):
    layout = LAYOUTS[kind]
    assert layout.dictionary == layout.widened(EVERY_HALF).tobytes()
    floats = np.frombuffer(layout.dictionary, np.float32)
    assert (layout.narrowed(floats) == EVERY_HALF).all()
    assert len(np.unique(floats.view(np.uint32))) == 1 << 16


def test_the_dictionaries_of_bytes_have_each_at_the_place_of_its_bits():
    signed = np.frombuffer(LAYOUTS[DataType.INT8_VECTOR].dictionary, np.int32)
    assert signed.tolist() == [*range(128), *range(-128, 0)]
    unsigned = np.frombuffer(LAYOUTS[DataType.BINARY_VECTOR].dictionary, np.int32)
    assert unsigned.tolist() == [*range(256)]


def test_few_halves_do_without_their_dictionary():
    layout = LAYOUTS[DataType.FLOAT16_VECTOR]
    assert not layout.indexes(1 << 17)
    assert layout.indexes((1 << 17) + 1)
    assert LAYOUTS[DataType.INT8_VECTOR].indexes(1)
    assert not LAYOUTS[DataType.FLOAT_VECTOR].indexes(1 << 20)
