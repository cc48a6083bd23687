"""The hash that spreads rows over shards and partitions, for whole columns at once.

These functions must never change: a repetition of a request, an upsert and a delete find the shard
of a key by them, for as long as the collection lives.

int64 keys go through the finaliser of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
number generators", 2014, with Stafford's variant 13). Texts are read as little-endian words of 8
bytes, the last padded with zeros, each mixed into the hash so far, the length last. A shard is the
upper half of the hash, scaled; a partition, of a partition key, the lower half, so that the two
differ where one column is like the other.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes: TypeAlias = npt.NDArray[np.uint64]
Shards: TypeAlias = npt.NDArray[np.int64]

_WORD = 8
_SEED = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
_LOWER = np.uint64(0xFFFFFFFF)


def _mix(values: Hashes) -> Hashes:
    mixed = values ^ (values >> np.uint64(30))
    mixed *= _MULTIPLY_1
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MULTIPLY_2
    mixed ^= mixed >> np.uint64(31)
    return mixed


def hash_numbers(keys: npt.NDArray[np.int64]) -> Hashes:
    """A hash of every key."""
    return _mix(keys.view(np.uint64) + _SEED)


def hash_texts(keys: pa.Array) -> Hashes:
    """A hash of the UTF-8 bytes of every key; `keys` is an Arrow array of strings without nulls."""
    _, offsets_buffer, data_buffer = keys.buffers()
    count = len(keys)
    offsets = np.frombuffer(offsets_buffer, np.int32)[keys.offset : keys.offset + count + 1]
    starts = offsets[:-1].astype(np.int64)
    lengths = np.diff(offsets).astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    data = np.zeros(last - first + _WORD, np.uint8)
    if last > first:
        data[: last - first] = np.frombuffer(data_buffer, np.uint8)[first:last]
    starts -= first
    # Every 8 bytes that begin anywhere in the data, as a word: reads need no alignment.
    words = np.ndarray((len(data) - _WORD + 1,), "<u8", data, strides=(1,))
    hashes = np.full(count, _SEED)
    active = np.flatnonzero(lengths > 0)
    done = 0
    while len(active):
        left = lengths[active] - done
        word = words[starts[active] + done]
        unused = np.maximum(_WORD - left, 0).astype(np.uint64) * np.uint64(8)
        word = (word << unused) >> unused
        hashes[active] = _mix(hashes[active] ^ word)
        done += _WORD
        active = active[left > _WORD]
    return _mix(hashes + lengths.astype(np.uint64))


def hash_keys(keys: pa.Array) -> Hashes:
    """A hash of every key of a column of int64 or strings."""
    if pa.types.is_int64(keys.type):
        return hash_numbers(keys.to_numpy())
    return hash_texts(keys)


def hash_rows(request_id: bytes, count: int) -> Hashes:
    """A hash of (request id, row number) for every row, for rows whose keys are not made yet."""
    prefix = hash_texts(pa.array([request_id], pa.binary()))[0]
    return _mix(np.arange(count, dtype=np.uint64) * _SEED + prefix)


def shards_of(hashes: Hashes, shards: int) -> Shards:
    """The shard of every hash, from 0."""
    return (((hashes >> np.uint64(32)) * np.uint64(shards)) >> np.uint64(32)).astype(np.int64)


def partitions_of(hashes: Hashes, partitions: int) -> Shards:
    """The partition of every hash of a partition key, from 0."""
    return (((hashes & _LOWER) * np.uint64(partitions)) >> np.uint64(32)).astype(np.int64)
