"""Sparse vectors read from our pages are those that PyArrow reads, or there is an error."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.values.pages import (
    assert_right_or_corrupt,
    bits,
    by_arrow,
    file_of,
    reader_of,
    reads,
    sparse_of,
    vector_of,
)

from headrace.binlog import insert_log
from headrace.binlog.parquet import sparse_pages
from headrace.binlog.parquet.page_cursor import ChunkPlace, places_of
from headrace.binlog.parquet.sparse_reader import SparseReader
from headrace.model.errors import Corrupt
from headrace.model.schema import DataType

SPARSE = vector_of(DataType.SPARSE_FLOAT_VECTOR)
NULLABLE = vector_of(DataType.SPARSE_FLOAT_VECTOR, nullable=True)
LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=60)


def places_of_both(data: bytes) -> list[list[ChunkPlace]]:
    """As the footer says, which the tests leave alone."""
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    paths = [f"v.{member}.list.element" for member, _ in sparse_pages.MEMBERS]
    return [places_of(metadata, path, len(data)) for path in paths]


def read(data: bytes, places: list[list[ChunkPlace]], checksums: bool = True) -> pa.Array:
    """All vectors."""
    reader = SparseReader(reads(data), places, nullable=False, checksums=checksums)
    return reader.next(sum(p.rows for p in places[0]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(LENGTHS, min_size=1, max_size=4),
    st.booleans(),
    st.lists(st.integers(1, 50), min_size=1, max_size=3),
    st.sampled_from([(37, 400, 20), (1 << 20, 1 << 20, 1 << 17)]),
)
def test_vectors_of_any_lengths_come_back_as_pyarrow_reads_them(lengths, nullable, steps, sizes):
    field = NULLABLE if nullable else SPARSE
    chunks = [sparse_of(part, seed) for seed, part in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(insert_log, "ROW_GROUP_ROWS", sizes[0])
        patch.setattr(sparse_pages, "PAGE_BYTES", sizes[1])
        patch.setattr(sparse_pages, "PAGE_ROWS", sizes[2])
        _, data = file_of(field, chunks)
    wanted = pa.chunked_array(chunks)
    assert bits(by_arrow(data, field)) == bits(wanted)
    reader, left, found = reader_of(data, field), len(wanted), []
    while left:
        for step in steps:
            found.append(reader.next(min(step, left)))
            left -= len(found[-1])
    assert pa.chunked_array(found).type == wanted.type
    assert bits(pa.chunked_array(found)) == bits(wanted)


def test_a_file_that_is_cut_or_altered_anywhere_is_never_read_wrong(monkeypatch):
    monkeypatch.setattr(sparse_pages, "PAGE_BYTES", 1000)
    chance = np.random.default_rng(3)
    _, data = file_of(SPARSE, [sparse_of(chance.integers(0, 9, 200))])
    places = places_of_both(data)
    wanted = bits(by_arrow(data, SPARSE))
    assert bits(read(data, places)) == wanted
    start, end = places[0][0].start, places[1][0].start + places[1][0].size_bytes
    for place in chance.choice(range(start, end), 1500, replace=False):
        altered = bytearray(data)
        altered[place] ^= 1 << int(chance.integers(8))
        assert_right_or_corrupt(lambda bad=altered: read(bytes(bad), places), wanted)
        with pytest.raises(Corrupt):
            read(data[:place], places)
        try:
            found = read(bytes(altered), places, checksums=False)
        except Corrupt:
            continue
        assert len(found) == 200


def test_more_vectors_than_there_are_are_corrupt():
    _, data = file_of(SPARSE, [sparse_of([1, 2])])
    with pytest.raises(Corrupt, match="too early"):
        reader_of(data, SPARSE).next(3)


def test_vectors_with_more_indices_than_values_are_corrupt():
    _, one = file_of(SPARSE, [sparse_of([2, 3])])
    places = places_of_both(one)
    with pytest.raises(Corrupt, match="more indices"):
        made = file_of(SPARSE, [sparse_of([3, 2])])[1]
        mixed = one[: places[1][0].start] + made[places[1][0].start :]
        read(mixed, places)
