"""Every float of 16 bits goes to 32 bits and back."""

import numpy as np
import pytest

from headrace.binlog.parquet.float16 import (
    narrow_bfloat16,
    narrow_float16,
    widen_bfloat16,
    widen_float16,
)

ALL = np.arange(1 << 16, dtype=np.uint16)


@pytest.mark.parametrize(
    ("widen", "narrow"), [(widen_float16, narrow_float16), (widen_bfloat16, narrow_bfloat16)]
)
def test_every_value_comes_back_bit_by_bit_nans_included(widen, narrow):
    wide = widen(ALL)
    assert wide.dtype == np.float32
    assert (narrow(wide) == ALL).all()
    assert len(np.unique(wide.view(np.uint32))) == len(ALL)


def test_float16_values_are_those_of_numpy():
    floats_16 = ALL.view(np.float16)
    np.testing.assert_array_equal(widen_float16(ALL), floats_16.astype(np.float32))


def test_bfloat16_values_are_floats_cut_off():
    floats = np.array([1.0, -2.5, 0.0, np.inf], dtype=np.float32)
    assert narrow_bfloat16(floats).tolist() == [0x3F80, 0xC020, 0, 0x7F80]
    assert widen_bfloat16(narrow_bfloat16(floats)).tolist() == floats.tolist()
