"""Levels: where the lists of a column begin, and which of them are empty.

Parquet stores the elements of all lists of a column in one sequence; two small numbers beside each
element, its levels, say which list it belongs to and whether it is there. The repetition level is 0
where a list begins and 1 where it goes on. The definition level is the highest one except for an
empty list, which stands as one value that is not there. Each kind is written in the shorter of two
ways, runs or packed bits, throughout the page; pages in any other form are left to PyArrow. Source:
Apache Parquet's format, "Run Length Encoding / Bit-Packing Hybrid" and "Nested Encoding".
"""

import struct

import numpy as np
import numpy.typing as npt

from headrace.binlog.parquet import thrift
from headrace.model.errors import Corrupt

PACKED_LENGTH_MOST = 32  # of a list; runs take at least 4 bytes a list, packed bits length / 8
_LENGTH = struct.Struct("<I")
_BYTE_BITS = 8
_ALL_ONES = 0xFF
Lengths = npt.NDArray[np.int64]


def of_equal_lists(rows: int, length: int, highest: int) -> bytes:
    """Both levels of `rows` lists of `length` elements each. `highest` = the definition level of an
    element that is there."""
    values = rows * length
    if length == 1:
        repetition = _run(values, 0)
    elif length <= PACKED_LENGTH_MOST:
        one = np.ones(length, np.uint8)
        one[0] = 0
        eight_rows = np.packbits(np.tile(one, _BYTE_BITS), bitorder="little").tobytes()
        groups = -(-values // _BYTE_BITS)
        repetition = _packed_head(groups) + (eight_rows * (rows // _BYTE_BITS + 1))[:groups]
    else:
        repetition = (_run(1, 0) + _run(length - 1, 1)) * rows
    return _with_length(repetition) + _with_length(_run(values, highest))


def of_lists(lengths: Lengths, highest: int) -> bytes:
    """Both levels of lists of these lengths, at least one; `highest` is 1 or 2."""
    levels = np.maximum(lengths, 1)
    starts = np.cumsum(levels) - levels
    values = int(levels.sum())
    begins = np.ones(values, np.uint8)
    begins[starts] = 0
    empty = starts[lengths == 0]
    if len(empty) == 0:
        definition = _run(values, highest)
    else:
        known = np.full(values, highest, np.uint8)
        known[empty] -= 1
        definition = _packed(known, highest.bit_length())
    return _with_length(_packed(begins, 1)) + _with_length(definition)


def lengths_of(data: memoryview, values: int, highest: int) -> tuple[Lengths, memoryview]:
    """The lengths that `of_lists` was given, and what stands behind the levels; `Corrupt` when
    `data` does not begin with levels that it makes."""
    repetition, rest = _without_length(data)
    definition, rest = _without_length(rest)
    starts = _zeros(_packed_bytes(repetition, values, 1), values)
    if len(starts) == 0 or starts[0] != 0:
        raise Corrupt("a page begins inside a list, or is empty")
    lengths = np.diff(starts, append=values)
    if definition == _run(values, highest):
        return lengths, rest
    known = _unpacked(definition, values, highest.bit_length())
    if known.max() > highest or known.min() < highest - 1:
        raise Corrupt("a list or an element that is null, where none may be")
    empty = np.flatnonzero(known < highest)
    rows = np.searchsorted(starts, empty, side="right") - 1
    if (starts[rows] != empty).any() or (lengths[rows] != 1).any():
        raise Corrupt("an empty list has elements")
    lengths[rows] = 0
    return lengths, rest


def _run(length: int, level: int) -> bytes:
    """So many equal levels; none of ours needs more than a byte."""
    return thrift.unsigned(length << 1) + bytes([level])


def _packed(levels: npt.NDArray[np.uint8], width: int) -> bytes:
    """Levels of one or two bits, the lowest bit first, filled up to groups of eight."""
    groups = -(-len(levels) // _BYTE_BITS)
    bits = np.zeros((groups * _BYTE_BITS, width), np.uint8)
    for bit in range(width):
        bits[: len(levels), bit] = (levels >> bit) & 1
    return _packed_head(groups) + np.packbits(bits, bitorder="little").tobytes()


def _unpacked(data: memoryview, count: int, width: int) -> npt.NDArray[np.uint8]:
    bits = np.unpackbits(_packed_bytes(data, count, width), bitorder="little")
    levels = np.zeros(len(bits) // width, np.uint8)
    for bit in range(width):
        levels |= bits[bit::width] << bit
    return levels[:count]


def _packed_bytes(data: memoryview, count: int, width: int) -> npt.NDArray[np.uint8]:
    """The bytes of so many packed levels, behind the head of their run."""
    groups = -(-count // _BYTE_BITS)
    head = _packed_head(groups)
    if data[: len(head)] != head or len(data) != len(head) + groups * width:
        raise Corrupt(f"levels of {count} values are no packed bits")
    return np.frombuffer(data, np.uint8, offset=len(head))


def _zeros(packed: npt.NDArray[np.uint8], count: int) -> Lengths:
    """The places of the bits that are 0; most bytes of long lists have none, and are passed by."""
    some = np.flatnonzero(packed != _ALL_ONES)
    ones = np.unpackbits(packed[some], bitorder="little").reshape(-1, _BYTE_BITS)
    rows, bits = np.nonzero(ones == 0)
    places = some[rows] * _BYTE_BITS + bits
    found: Lengths = places[places < count]
    return found


def _packed_head(groups: int) -> bytes:
    return thrift.unsigned(groups << 1 | 1)


def _with_length(levels: bytes) -> bytes:
    return _LENGTH.pack(len(levels)) + levels


def _without_length(data: memoryview) -> tuple[memoryview, memoryview]:
    if len(data) < _LENGTH.size:
        raise Corrupt("levels are cut short")
    (length,) = _LENGTH.unpack_from(data)
    end = _LENGTH.size + length
    if end > len(data):
        raise Corrupt(f"levels of {length} bytes are cut short")
    return data[_LENGTH.size : end], data[end:]
