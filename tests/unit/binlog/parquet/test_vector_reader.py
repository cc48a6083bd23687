"""Dense vectors read from our pages are those that PyArrow reads, or there is an error."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.values.every_type import DENSE
from support.values.pages import (
    assert_right_or_corrupt,
    bits,
    by_arrow,
    file_of,
    reader_of,
    reads,
    vector_of,
    vectors_of,
)

from headrace.binlog import insert_log
from headrace.binlog.parquet import vector_pages
from headrace.binlog.parquet.page_cursor import ChunkPlace, places_of
from headrace.binlog.parquet.vector_encoding import VECTOR_ENCODINGS
from headrace.binlog.parquet.vector_reader import VectorReader
from headrace.model.errors import Corrupt
from headrace.model.schema import DataType, Field

KINDS = st.sampled_from(list(DENSE))
WIDTHS = st.one_of(st.integers(1, 40), st.sampled_from([64, 100, 768]))
FLOATS_16 = (DataType.FLOAT16_VECTOR, DataType.BFLOAT16_VECTOR)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Small pages and row groups, dictionaries for few 16-bit floats."""
    monkeypatch.setattr(insert_log, "ROW_GROUP_ROWS", 37)
    monkeypatch.setattr(vector_pages, "PAGE_BYTES", 1000)
    monkeypatch.setattr("headrace.binlog.parquet.vector_encoding.FLOATS16_WITH_DICTIONARY", 500)
    return monkeypatch


def taken(reader, rows: int, steps: list[int]) -> list[pa.Array]:
    """All rows, so many at once, again and again."""
    found = []
    while rows:
        for step in steps:
            found.append(reader.next(min(step, rows)))
            rows -= len(found[-1])
    return found


@settings(max_examples=150, deadline=None)
@given(
    KINDS,
    WIDTHS,
    st.booleans(),
    st.lists(st.integers(1, 90), min_size=1, max_size=4),
    st.lists(st.integers(1, 100), min_size=1, max_size=3),
    st.sampled_from([(37, 1000, 500), (1 << 20, 1 << 20, 1 << 17)]),
)
def test_vectors_of_any_shape_come_back_as_pyarrow_reads_them(
    kind, width, nullable, rows, steps, sizes
):
    field = vector_of(kind, width, nullable=nullable)
    chunks = [vectors_of(field, n, seed) for seed, n in enumerate(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(insert_log, "ROW_GROUP_ROWS", sizes[0])
        patch.setattr(vector_pages, "PAGE_BYTES", sizes[1])
        patch.setattr("headrace.binlog.parquet.vector_encoding.FLOATS16_WITH_DICTIONARY", sizes[2])
        _, data = file_of(field, chunks)
    wanted = bits(pa.chunked_array(chunks))
    assert bits(by_arrow(data, field)) == wanted
    found = taken(reader_of(data, field), sum(rows), steps)
    assert all(part.type == chunks[0].type for part in found)
    assert bits(pa.chunked_array(found)) == wanted


@pytest.mark.parametrize("kind", list(DENSE))
def test_a_file_that_is_cut_or_altered_anywhere_is_never_read_wrong(kind, limits):
    field = vector_of(kind, 12)
    chunks = [vectors_of(field, 100)]
    _, data = file_of(field, chunks)
    wanted = bits(chunks[0])
    chance = np.random.default_rng(1)
    places = places_of_vectors(data)
    assert bits(read(data, field, places)) == wanted
    size = sum(p.size_bytes for p in places)
    checked = range(places[0].start, places[-1].start + places[-1].size_bytes)
    for place in chance.choice(checked, min(size, 1500), replace=False):
        altered = bytearray(data)
        altered[place] ^= 1 << int(chance.integers(8))
        assert_right_or_corrupt(lambda bad=altered: read(bytes(bad), field, places), wanted)
        with pytest.raises(Corrupt):
            read(data[:place], field, places)


@pytest.mark.parametrize("kind", list(DENSE))
def test_without_checksums_alterations_change_numbers_at_most(kind, limits):
    field = vector_of(kind, 12)
    _, data = file_of(field, [vectors_of(field, 100)])
    chance = np.random.default_rng(2)
    places = places_of_vectors(data)
    start, end = places[0].start, places[-1].start + places[-1].size_bytes
    for _ in range(1500):
        altered = bytearray(data)
        for place in chance.integers(start, end, chance.integers(1, 4)):
            altered[place] = chance.integers(256)
        try:
            found = read(bytes(altered), field, places, checksums=False)
        except Corrupt:
            continue
        assert len(found) == 100


def test_more_vectors_than_there_are_are_corrupt():
    field = vector_of(DataType.FLOAT_VECTOR, 3)
    _, data = file_of(field, [vectors_of(field, 10)])
    with pytest.raises(Corrupt, match="too early"):
        reader_of(data, field).next(11)


def test_a_dictionary_in_another_order_is_corrupt():
    field = vector_of(DataType.INT8_VECTOR, 3)
    _, data = file_of(field, [vectors_of(field, 10)])
    dictionary = VECTOR_ENCODINGS[field.type].dictionary
    other = np.frombuffer(dictionary, np.int32)[::-1].tobytes()
    places = places_of_vectors(data)
    with pytest.raises(Corrupt, match="dictionary"):
        read(data.replace(dictionary, other), field, places, checksums=False)


@pytest.mark.parametrize("kind", FLOATS_16)
def test_a_float_that_no_half_is_is_corrupt(kind):
    field = vector_of(kind, 1)
    one = pa.FixedSizeListArray.from_arrays(
        pa.array(np.array([0x3C01], np.uint16).view(DENSE[kind])), 1
    )
    _, data = file_of(field, [one])
    stored = VECTOR_ENCODINGS[kind].widened(np.array([0x3C01], np.uint16)).tobytes()
    other = np.array([0.1], np.float32).tobytes()
    with pytest.raises(Corrupt, match="16 bits"):
        read(data.replace(stored, other), field, places_of_vectors(data), checksums=False)


def places_of_vectors(data: bytes) -> list[ChunkPlace]:
    """As the footer says, which the tests leave alone."""
    return places_of(pq.ParquetFile(io.BytesIO(data)).metadata, "v.list.element", len(data))


def read(data: bytes, field: Field, places: list[ChunkPlace], checksums: bool = True) -> pa.Array:
    """All vectors."""
    reader = VectorReader(reads(data), field, places, nullable=False, checksums=checksums)
    return reader.next(sum(p.rows for p in places))
