"""Floats of 16 bits as floats of 32, and back, bit by bit.

Files hold 16-bit floats as 32-bit ones, since few readers know the former; every 16-bit value has
exactly one 32-bit value. Processors make a quiet NaN of a signalling one when they convert, so NaNs
are converted as integers: sign and mantissa stay, and every bit comes back.
"""

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bits16: TypeAlias = npt.NDArray[np.uint16]
Floats: TypeAlias = npt.NDArray[np.float32]

_EXPONENT_16 = 0x7C00  # IEEE 754 binary16: 1 sign, 5 exponent, 10 mantissa
_MANTISSA_16 = 0x03FF
_EXPONENT_32 = 0x7F800000  # binary32: 1 sign, 8 exponent, 23 mantissa
_MANTISSA_SHIFT = 13
_BFLOAT_SHIFT = 16  # a bfloat16 is the upper half of a binary32


def widen_float16(bits: Bits16) -> Floats:
    """The 32-bit floats of the same values; a new array."""
    return _float16_values()[bits]


def narrow_float16(floats: Floats) -> Bits16:
    """The bits of the 16-bit floats that `widen_float16` was given; other values are rounded."""
    with np.errstate(over="ignore", invalid="ignore"):
        bits = floats.astype(np.float16).view(np.uint16)
    nan = np.isnan(floats)
    if nan.any():
        raw = floats[nan].view(np.uint32)
        mantissa = (raw >> _MANTISSA_SHIFT) & _MANTISSA_16
        bits[nan] = ((raw >> 16) & 0x8000) | _EXPONENT_16 | mantissa
    return bits


def widen_bfloat16(bits: Bits16) -> Floats:
    """The 32-bit floats of the same values; a new array."""
    return (bits.astype(np.uint32) << _BFLOAT_SHIFT).view(np.float32)


def narrow_bfloat16(floats: Floats) -> Bits16:
    """The bits of the bfloat16 that `widen_bfloat16` was given; other values are cut off."""
    return (floats.view(np.uint32) >> _BFLOAT_SHIFT).astype(np.uint16)


@cache
def _float16_values() -> Floats:
    """Every 16-bit float, at the place of its bits."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    wide = bits.view(np.float16).astype(np.float32).view(np.uint32)
    special = (bits & _EXPONENT_16) == _EXPONENT_16
    raw = bits[special].astype(np.uint32)
    sign, mantissa = (raw & 0x8000) << 16, (raw & _MANTISSA_16) << _MANTISSA_SHIFT
    wide[special] = sign | _EXPONENT_32 | mantissa
    floats = wide.view(np.float32)
    floats.setflags(write=False)
    return floats
