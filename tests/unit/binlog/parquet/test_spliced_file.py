"""Files made around vectors are read by everybody as those that PyArrow writes whole."""

import io
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from support.values.rows import (
    key_field,
    meta_field,
    schema_of,
    text_field,
    vector_field,
    vectors_array,
)

from headrace.binlog import insert_log
from headrace.binlog.columns import arrow_schema, file_schema
from headrace.binlog.insert_log import RowsChunk, write_by_arrow
from headrace.binlog.parquet.spliced_file import can_be_spliced
from headrace.model.schema import DataType, Field, Schema

SECOND = Field(id=110, name="other vector", type=DataType.FLOAT_VECTOR, dim=7)
FIRST = Field(id=99, name="in front", type=DataType.FLOAT_VECTOR, dim=1)


def schema_with(dim: int) -> Schema:
    return schema_of(FIRST, key_field(), vector_field(dim), text_field(), SECOND, meta_field())


def chunks_of(dim: int, rows: list[int]) -> list[RowsChunk]:
    """Rows with every kind of float in their vectors."""
    chance = np.random.default_rng(3)
    chunks, first = [], 0
    for count in rows:
        ids = np.arange(first, first + count)

        def vectors(width: int, count: int = count) -> pa.Array:
            bits = chance.integers(0, 2**32, (count, width), np.uint32)
            return vectors_array(bits.view(np.float32))

        columns = [
            vectors(1),
            pa.array(ids),
            vectors(dim),
            pa.array([f"text {i % 50}" for i in ids]),
            vectors(7),
            pa.array([None if i % 3 else "{}" for i in ids], pa.string()),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema_with(dim)))
        chunks.append(RowsChunk(batch, first, first + 1))
        first += count
    return chunks


def files_of(dim: int, rows: list[int]) -> tuple[bytes, bytes]:
    """The spliced file and the one that PyArrow writes whole."""
    schema, chunks = schema_with(dim), chunks_of(dim, rows)
    encoded = insert_log.encode(schema, chunks)
    assert len(encoded.parts) > 1
    floats = sum(rows) * (1 + dim + 7)
    assert encoded.view_bytes == (floats * 4 if sum(rows) >= 16 * len(rows) else 0)
    spliced = b"".join(encoded.parts)
    return spliced, bytes(
        write_by_arrow(schema, insert_log.read(spliced).cast(file_schema(schema)))
    )


def bits(table: pa.Table) -> list[object]:
    """Every column by its bytes, vectors as runs of floats."""
    found: list[object] = []
    for column in table.combine_chunks().columns:
        array = pa.concat_arrays(column.chunks)
        if pa.types.is_fixed_size_list(array.type):
            found.append(array.flatten().to_numpy().tobytes())
        else:
            found.append(array.to_pylist())
    return found


@pytest.mark.parametrize("dim", [1, 2, 3, 7, 8, 9, 64, 768])
@pytest.mark.parametrize("rows", [[1], [5, 1, 30], [100] * 8])
def test_pyarrow_reads_both_files_alike(dim: int, rows: list[int]):
    chunks = chunks_of(dim, rows)
    spliced, whole = files_of(dim, rows)
    ours, theirs = pq.ParquetFile(io.BytesIO(spliced)), pq.ParquetFile(io.BytesIO(whole))
    assert ours.schema_arrow.equals(theirs.schema_arrow, check_metadata=True)
    assert ours.schema.equals(theirs.schema)
    assert bits(ours.read()) == bits(theirs.read())
    given = pa.Table.from_batches([c.batch for c in chunks])
    assert bits(ours.read(columns=given.schema.names)) == bits(given)
    assert ours.read(columns=["other vector"]).num_columns == 1
    streamed = pa.Table.from_batches(ours.iter_batches(batch_size=17))
    assert bits(streamed) == bits(theirs.read())


def test_the_footer_says_the_same_as_that_of_a_file_which_pyarrow_writes_whole():
    spliced, whole = files_of(64, [50, 70])
    ours, theirs = (pq.ParquetFile(io.BytesIO(data)).metadata for data in (spliced, whole))
    assert (ours.num_rows, ours.num_row_groups, ours.num_columns) == (120, 1, 8)
    assert ours.metadata == theirs.metadata
    group, other = ours.row_group(0), theirs.row_group(0)
    sizes = [group.column(n).total_compressed_size for n in range(8)]
    starts = [
        group.column(n).dictionary_page_offset or group.column(n).data_page_offset for n in range(8)
    ]
    assert min(starts) == 4
    assert 4 + sum(sizes) < len(spliced)
    for n in range(8):
        mine, reference = group.column(n), other.column(n)
        assert mine.path_in_schema == reference.path_in_schema
        assert mine.physical_type == reference.physical_type
        assert mine.compression == reference.compression
        assert mine.num_values == reference.num_values
        assert mine.is_stats_set == reference.is_stats_set
        assert spliced[starts[n] : starts[n] + sizes[n]]


def test_duckdb_polars_and_pandas_read_both_files_alike(tmp_path: Path):
    spliced, whole = files_of(64, [40, 1, 900])
    ours, theirs = tmp_path / "ours.parquet", tmp_path / "theirs.parquet"
    ours.write_bytes(spliced)
    theirs.write_bytes(whole)

    def by_duckdb(path: Path) -> list[object]:
        query = f"select id, text, embedding::varchar from '{path}' order by id"
        return duckdb.sql(query).fetchall()

    assert by_duckdb(ours) == by_duckdb(theirs)
    kinds = duckdb.sql(f"select typeof(embedding) from '{ours}' limit 1").fetchall()
    assert kinds == [("FLOAT[]",)]
    assert bits(pl.read_parquet(ours).to_arrow()) == bits(pl.read_parquet(theirs).to_arrow())
    mine, reference = pd.read_parquet(ours), pd.read_parquet(theirs)
    assert np.stack(mine["embedding"]).tobytes() == np.stack(reference["embedding"]).tobytes()
    few = pads.dataset(ours).to_table(columns=["embedding"], filter=pads.field("id") >= 930)
    assert few.num_rows == 11


def test_files_with_rows_that_have_no_vector_are_written_whole_by_pyarrow():
    schema = schema_of(key_field(), vector_field(2, nullable=True))
    vectors = vectors_array(np.zeros((2, 2), np.float32), np.array([False, True]))
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2]), vectors], schema=arrow_schema(schema))
    assert not can_be_spliced(schema, pa.Table.from_batches([batch]))
    encoded = insert_log.encode(schema, [RowsChunk(batch, 0, 1)])
    assert len(encoded.parts) == 1
    assert encoded.view_bytes == 0
    column = insert_log.read(encoded.parts[0])["embedding"]
    assert column.to_pylist() == [[0.0, 0.0], None]


def test_a_nullable_column_in_which_every_row_has_a_vector_is_spliced():
    schema = schema_of(key_field(), vector_field(2, nullable=True))
    vectors = vectors_array(np.arange(6, dtype=np.float32).reshape(3, 2))
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2, 3]), vectors], schema=arrow_schema(schema))
    encoded = insert_log.encode(schema, [RowsChunk(batch, 0, 1)])
    assert len(encoded.parts) > 1
    column = insert_log.read(b"".join(encoded.parts))["embedding"]
    assert column.to_pylist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
