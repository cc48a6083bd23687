"""Stats logs: row count, key range and key filter of one insert log, in a small file beside it.

Format: `HRS1`, u32 (little-endian) length of the head, the head as JSON, the bits of a Bloom filter
as `fastbloom_rs` writes them (1 % of absent keys are answered "maybe", about 1.2 bytes a key). It
holds no row: without it a search for a key is slower, nothing else.
"""

import struct
from dataclasses import dataclass, field

import fastbloom_rs
import pyarrow as pa

from headrace.binlog.columns import key_type
from headrace.binlog.encoded import key_range
from headrace.model import codec
from headrace.model.entry import Body
from headrace.model.errors import Corrupt
from headrace.model.schema import Schema

MAGIC = b"HRS1"
FALSE_POSITIVES = 0.01
_PREFIX = struct.Struct("<4sI")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsHead:
    """What stands before the filter's bits."""

    rows: int
    key_type: str  # `int64` or `string`
    min_key: str
    max_key: str
    hashes: int  # of the filter


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics of one insert log."""

    head: StatsHead
    filter: fastbloom_rs.BloomFilter = field(repr=False)

    @property
    def rows(self) -> int:
        return self.head.rows

    def may_contain(self, keys: pa.Array) -> list[bool]:
        """For each key: False = surely not in the file."""
        if self.head.key_type == "int64":
            found: list[bool] = self.filter.contains_int_batch(keys.to_pylist())
        else:
            found = self.filter.contains_str_batch(keys.to_pylist())
        return found


def encode(schema: Schema, keys: pa.Array) -> list[Body]:
    """The parts of a stats log for these keys (of all rows); CPU-bound, about 70 ns a key."""
    kind = key_type(schema)
    builder = fastbloom_rs.FilterBuilder(max(1, len(keys)), FALSE_POSITIVES)
    bloom = builder.build_bloom_filter()
    if pa.types.is_integer(kind):
        bloom.add_int_batch(keys.to_numpy(zero_copy_only=False))
    else:
        bloom.add_str_batch(keys.to_pylist())
    least, greatest = key_range(keys)
    head = StatsHead(
        rows=len(keys),
        key_type=str(kind),
        min_key=least,
        max_key=greatest,
        hashes=bloom.hashes(),
    )
    text = codec.encode(head)
    return [_PREFIX.pack(MAGIC, len(text)), text, bytes(bloom.get_bytes())]


def decode(data: Body, where: str = "") -> Stats:
    """The statistics of a stats log's bytes; `Corrupt` naming `where` when they are none."""
    view = memoryview(data)
    if len(view) < _PREFIX.size:
        raise Corrupt(f"{where or 'a stats log'} is cut short", channel=where)
    magic, length = _PREFIX.unpack_from(view)
    start = _PREFIX.size + length
    if magic != MAGIC or len(view) <= start:
        raise Corrupt(f"{where or 'a stats log'} is not what we wrote", channel=where)
    head = codec.decode(bytes(view[_PREFIX.size : start]), StatsHead, where)
    bits = fastbloom_rs.BloomFilter.from_bytes(bytes(view[start:]), head.hashes)
    return Stats(head, bits)
