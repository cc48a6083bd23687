"""Files with columns of every type."""

import io
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.values.every_type import every_type, rows_of

from headrace.binlog import insert_log
from headrace.binlog.columns import arrow_schema, in_file
from headrace.binlog.insert_log import RowsChunk
from headrace.binlog.parquet.column_options import column_options
from headrace.model.schema import DataType

SCHEMA = every_type()
ROWS = rows_of(SCHEMA, list(range(40)))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chunks = [RowsChunk(ROWS.slice(0, 25), 0, 1), RowsChunk(ROWS.slice(25), 25, 2)]
    made = tmp_path_factory.mktemp("files") / "rows.parquet"
    made.write_bytes(b"".join(insert_log.encode(SCHEMA, chunks).parts))
    return made


def test_every_column_of_a_file_has_its_leaves_in_the_order_of_the_file(path):
    meta = pq.ParquetFile(path).metadata
    paths = [meta.row_group(0).column(n).path_in_schema for n in range(meta.num_columns)]
    assert [options.path for options in column_options(SCHEMA, pq.read_schema(path).names)] == paths


def test_columns_are_written_as_the_table_says(path):
    meta = pq.ParquetFile(path).metadata.row_group(0)
    for n, options in enumerate(column_options(SCHEMA, pq.read_schema(path).names)):
        column = meta.column(n)
        assert column.compression == ("ZSTD" if options.compression == "zstd" else "UNCOMPRESSED")
        assert column.is_stats_set == options.statistics, options.path
        # Booleans never have one in Parquet.
        wanted = options.dictionary and column.physical_type != "BOOLEAN"
        assert column.has_dictionary_page == wanted, options.path


def test_vectors_of_bytes_take_about_a_byte_a_number():
    schema = SCHEMA
    many = rows_of(schema, list(range(4000)))
    data = b"".join(insert_log.encode(schema, [RowsChunk(many, 0, 1)]).parts)
    meta = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    for n in range(meta.num_columns):
        column = meta.column(n)
        if column.path_in_schema.split(".")[0] in {"INT8_VECTOR", "BINARY_VECTOR"}:
            assert column.total_compressed_size < 1.3 * column.num_values


def test_every_type_comes_back(path):
    table = insert_log.read(path.read_bytes())
    back = table.select(ROWS.schema.names)
    assert back.schema.types == arrow_schema(SCHEMA).types
    for field in SCHEMA.fields:
        assert raw(back[field.name].combine_chunks()) == raw(ROWS.column(field.name)), field.name


def raw(column: pa.Array) -> object:
    """Numbers of dense vectors as bytes, in which NaNs have their payloads."""
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy().tobytes()
    return column.to_pylist()


def expected(name: str) -> list[object]:
    """The rows of a column as tools see them that know nothing of our types."""
    field = SCHEMA.field(name)
    assert field is not None
    return in_file(ROWS.column(name), field.type).to_pylist()


def floats_of(rows: list[object]) -> bytes:
    """NaNs are NaNs: which one it is Python's floats do not keep."""
    return np.nan_to_num(np.array(rows, np.float32), nan=1.5e30).tobytes()


def assert_equal(found: list[object], name: str) -> None:
    if name in {"FLOAT_VECTOR", "FLOAT16_VECTOR", "BFLOAT16_VECTOR"}:
        assert floats_of(found) == floats_of(expected(name)), name
    else:
        assert found == expected(name), name


@pytest.mark.parametrize("name", [f.name for f in SCHEMA.fields])
def test_duckdb_polars_and_pandas_read_every_type(path, name):
    found = duckdb.sql(f"SELECT \"{name}\" FROM read_parquet('{path}')").fetchall()
    assert_equal([_listed(row[0]) for row in found], name)
    assert_equal([_listed(v) for v in pl.read_parquet(path)[name].to_list()], name)
    frame = pd.read_parquet(path, columns=[name], dtype_backend="pyarrow")
    assert_equal(pa.array(frame[name]).to_pylist(), name)


def _listed(value: object) -> object:
    """DuckDB has fixed-size lists as tuples."""
    return list(value) if isinstance(value, tuple) else value


def test_the_metadata_names_types_that_arrow_does_not(path):
    schema = pq.read_schema(path)
    said = {f.name: (f.metadata or {}).get(b"headrace.type") for f in schema}
    named = {t.name for t in DataType if t.is_vector} - {"FLOAT_VECTOR"}
    assert {n for n, kind in said.items() if kind} == named
    assert all(kind in (None, n.encode()) for n, kind in said.items())
