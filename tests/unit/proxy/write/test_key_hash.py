"""The shard of a key never changes, and is the same for a key alone and among others."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.proxy.write.key_hash import (
    hash_keys,
    hash_rows,
    hash_texts,
    partitions_of,
    shards_of,
)


def test_hashes_of_numbers_are_those_of_the_first_version() -> None:
    keys = pa.array([0, 1, -1, 2**63 - 1, -(2**63)], pa.int64())
    assert [hex(h) for h in hash_keys(keys)] == [
        "0xe220a8397b1dcdaf",
        "0x910a2dec89025cc1",
        "0xe4d971771b652c20",
        "0x2a67d7552e039ea7",
        "0x481ec0a212a9f3db",
    ]


def test_hashes_of_texts_are_those_of_the_first_version() -> None:
    keys = pa.array(["", "a", "12345678", "123456789", "übermäßig lang"], pa.string())
    assert [hex(h) for h in hash_keys(keys)] == [
        "0xe220a8397b1dcdaf",
        "0x2971c9ebfb09c2ca",
        "0x8a5883d990a7fbae",
        "0xd030350d41c296f2",
        "0xddd110a8ed8d00b0",
    ]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=30))
def test_a_text_hashes_alone_as_among_others(texts: list[str]) -> None:
    together = hash_texts(pa.array(texts, pa.string()))
    alone = [int(hash_texts(pa.array([t], pa.string()))[0]) for t in texts]
    assert [int(h) for h in together] == alone
    sliced = pa.array(["x", *texts, "y"], pa.string()).slice(1, len(texts))
    assert [int(h) for h in hash_texts(sliced)] == alone


@given(st.lists(st.text(max_size=24), unique=True, min_size=2, max_size=40))
def test_different_texts_hash_differently(texts: list[str]) -> None:
    assert len(set(hash_texts(pa.array(texts, pa.string())).tolist())) == len(texts)


def test_a_text_with_zeros_behind_it_is_another() -> None:
    hashes = hash_texts(pa.array(["a", "a\0", "a\0\0", "\0", ""], pa.string()))
    assert len(set(hashes.tolist())) == 5


def test_rows_spread_evenly_over_shards() -> None:
    count, shards = 60_000, 6
    numbers = hash_keys(pa.array(np.arange(count)))
    texts = hash_keys(pa.array([f"key-{n}" for n in range(count)]))
    rows = hash_rows(b"request", count)
    for hashes in (numbers, texts, rows):
        found = np.bincount(shards_of(hashes, shards), minlength=shards)
        assert abs(found - count / shards).max() < 0.03 * count / shards, found


def test_rows_without_keys_hash_by_request_and_number() -> None:
    first, second = hash_rows(b"one", 1000), hash_rows(b"two", 1000)
    assert not np.array_equal(first, second)
    assert np.array_equal(first[:10], hash_rows(b"one", 10))


def test_every_shard_is_below_the_number_of_shards() -> None:
    hashes = np.array([0, 2**64 - 1, 2**63], np.uint64)
    assert shards_of(hashes, 7).tolist() == [0, 6, 3]
    assert shards_of(hashes, 1).tolist() == [0, 0, 0]
    assert partitions_of(hashes, 7).tolist() == [0, 6, 0]
    assert partitions_of(hashes, 1).tolist() == [0, 0, 0]


def test_partitions_of_a_partition_key_are_those_of_the_first_version() -> None:
    numbers = hash_keys(pa.array([0, 1, -1, 2**63 - 1, -(2**63)], pa.int64()))
    assert partitions_of(numbers, 16).tolist() == [7, 8, 1, 2, 1]
    texts = hash_keys(pa.array(["", "a", "12345678", "123456789", "übermäßig lang"]))
    assert partitions_of(texts, 16).tolist() == [7, 15, 9, 4, 14]


def test_rows_of_one_shard_spread_evenly_over_partitions() -> None:
    count, partitions = 120_000, 6
    hashes = hash_keys(pa.array(np.arange(count)))
    found = np.bincount(partitions_of(hashes[shards_of(hashes, 2) == 1], partitions))
    even = count / 2 / partitions
    assert len(found) == partitions
    assert abs(found - even).max() < 0.03 * even, found
