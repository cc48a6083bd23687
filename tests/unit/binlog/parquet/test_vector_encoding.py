"""How the numbers of vectors are stored, and what tools see that know nothing of us."""

import io
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.values.every_type import DENSE
from support.values.pages import file_of, sparse_of, vector_of, vectors_of

from headrace.binlog.columns import in_file
from headrace.binlog.parquet.vector_encoding import VECTOR_ENCODINGS
from headrace.model.schema import DataType

NUMBERS = 150_000  # so many 16-bit floats have a dictionary
FLOATS_16 = (DataType.FLOAT16_VECTOR, DataType.BFLOAT16_VECTOR)
EVERY_FLOAT_16 = np.arange(1 << 16, dtype=np.uint16)


@pytest.mark.parametrize("kind", FLOATS_16)
def test_the_dictionary_of_16_bit_floats_has_each_at_the_place_of_its_bits(kind: DataType):
    stored = VECTOR_ENCODINGS[kind]
    assert stored.dictionary == stored.widened(EVERY_FLOAT_16).tobytes()
    floats = np.frombuffer(stored.dictionary, np.float32)
    assert (stored.narrowed(floats) == EVERY_FLOAT_16).all()
    assert len(np.unique(floats.view(np.uint32))) == 1 << 16


def test_the_dictionaries_of_bytes_have_each_at_the_place_of_its_bits():
    signed = np.frombuffer(VECTOR_ENCODINGS[DataType.INT8_VECTOR].dictionary, np.int32)
    assert signed.tolist() == [*range(128), *range(-128, 0)]
    unsigned = np.frombuffer(VECTOR_ENCODINGS[DataType.BINARY_VECTOR].dictionary, np.int32)
    assert unsigned.tolist() == [*range(256)]


def test_few_16_bit_floats_do_without_their_dictionary():
    stored = VECTOR_ENCODINGS[DataType.FLOAT16_VECTOR]
    assert not stored.indexes(1 << 17)
    assert stored.indexes((1 << 17) + 1)
    assert VECTOR_ENCODINGS[DataType.INT8_VECTOR].indexes(1)
    assert not VECTOR_ENCODINGS[DataType.FLOAT_VECTOR].indexes(1 << 20)


def wanted_of(kind: DataType, chunks: list[pa.Array]) -> np.ndarray:
    """The numbers as they are for tools, NaNs made alike."""
    stored = in_file(pa.chunked_array(chunks), kind).combine_chunks()
    return np.nan_to_num(stored.flatten().to_numpy(), nan=1.5e30)


@pytest.mark.parametrize("kind", list(DENSE))
@pytest.mark.parametrize("width", [1, 3, 8, 33, 768])
def test_dense_vectors_are_what_was_received(tmp_path: Path, kind: DataType, width: int):
    field = vector_of(kind, width)
    rows = NUMBERS // width + 1
    chunks = [vectors_of(field, rows - 7), vectors_of(field, 7, seed=1)]
    _, data = file_of(field, chunks)
    path = tmp_path / "v.parquet"
    path.write_bytes(data)
    wanted = wanted_of(kind, chunks)
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    assert group.column(1).has_dictionary_page == (kind != DataType.FLOAT_VECTOR)

    def right(found: object) -> None:
        numbers = np.nan_to_num(np.asarray(found), nan=1.5e30)
        assert numbers.astype(wanted.dtype).tobytes() == wanted.tobytes()

    right(pq.read_table(path, page_checksum_verification=True)["v"].combine_chunks().flatten())
    right(pl.read_parquet(path)["v"].explode().to_numpy())
    query = f"SELECT unnest(v) AS n FROM read_parquet('{path}')"
    right(duckdb.sql(query).fetchnumpy()["n"])


def test_sparse_vectors_are_what_was_received(tmp_path: Path):
    chance = np.random.default_rng(4)
    chunks = [sparse_of(chance.integers(0, 200, 3000)), sparse_of([0, 0, 5, 0])]
    _, data = file_of(vector_of(DataType.SPARSE_FLOAT_VECTOR), chunks)
    path = tmp_path / "v.parquet"
    path.write_bytes(data)
    column = pa.chunked_array(chunks)
    for n, member in enumerate(("indices", "values")):
        parts = [c.field(n) for c in column.chunks]
        lengths = np.concatenate([p.value_lengths().to_numpy() for p in parts])
        numbers = np.concatenate([p.flatten().to_numpy() for p in parts])
        wanted = np.nan_to_num(numbers, nan=1.5e30).tobytes()
        lists = pl.read_parquet(path)["v"].struct.field(member)
        assert lists.list.len().to_numpy().tolist() == lengths.tolist()
        found = lists.explode().drop_nulls().to_numpy()
        assert np.nan_to_num(found, nan=1.5e30).tobytes() == wanted
        query = f"SELECT unnest(v.{member}) AS n FROM read_parquet('{path}')"
        found = np.asarray(duckdb.sql(query).fetchnumpy()["n"])
        assert np.nan_to_num(found, nan=1.5e30).tobytes() == wanted
        counts = duckdb.sql(f"SELECT len(v.{member}) AS n FROM read_parquet('{path}')")
        assert counts.fetchnumpy()["n"].tolist() == lengths.tolist()
