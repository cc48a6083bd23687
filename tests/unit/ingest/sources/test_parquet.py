"""Parquet files: read from any row, row groups or not, values and faults by row."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.processes.ingesting import DIM, finite_rows, rows_of
from support.values.every_type import every_type

from headrace.binlog.columns import file_schema, in_file
from headrace.ingest.columns.made_schema import made_schema
from headrace.ingest.sources.parquet import ParquetSource
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field, Schema


def written(path: Path, table: pa.Table, group: int = 100) -> Path:
    pq.write_table(table, path / "rows.parquet", row_group_size=group)
    return path / "rows.parquet"


def schema_for(source: ParquetSource) -> Schema:
    return made_schema(source.name, source.fields(), "id", False)


@pytest.mark.parametrize("start", [0, 1, 99, 100, 101, 349, 350])
def test_reading_begins_at_any_row(tmp_path: Path, start: int) -> None:
    source = ParquetSource(written(tmp_path, rows_of(350)), None, ())
    assert source.size == 350
    pieces = list(source.read(schema_for(source), start))
    ids = [i for p in pieces for i in p.columns["id"].to_pylist()]
    assert ids == list(range(start, 350))
    assert sum(p.count for p in pieces) == 350 - start
    assert not pieces or pieces[-1].position == 350


def test_the_schema_that_is_made_holds_every_column(tmp_path: Path) -> None:
    source = ParquetSource(written(tmp_path, rows_of(10)), None, ())
    kinds = {f.name: f.type for f in schema_for(source).fields}
    assert kinds == {
        "id": DataType.INT64,
        "text": DataType.VARCHAR,
        "score": DataType.DOUBLE,
        "tags": DataType.ARRAY,
        "about": DataType.JSON,
        "vector": DataType.FLOAT_VECTOR,
    }
    assert schema_for(source).fields[5].dim == DIM


def test_columns_that_the_schema_does_not_know_are_dynamic_or_refused(tmp_path: Path) -> None:
    source = ParquetSource(written(tmp_path, rows_of(3).select(["id", "text", "vector"])), None, ())
    key = Field(id=100, name="id", type=DataType.INT64, primary=True)
    vector = Field(id=101, name="vector", type=DataType.FLOAT_VECTOR, dim=DIM)
    with pytest.raises(Invalid, match="column 'text', which the collection has no field for"):
        source.check(Schema(fields=(key, vector)))
    meta = Field(id=102, name="$meta", type=DataType.JSON, dynamic=True)
    schema = Schema(fields=(key, vector, meta))
    source.check(schema)
    (piece,) = source.read(schema, 0)
    assert piece.columns["$meta"].to_pylist() == [f'{{"text":"row {i}"}}' for i in range(3)]


def test_named_columns_alone_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, rows_of(3))
    source = ParquetSource(path, ("id", "vector"), ())
    assert [f.name for f in source.fields()] == ["id", "vector"]
    (piece,) = source.read(schema_for(source), 0)
    assert list(piece.columns) == ["id", "vector"]
    with pytest.raises(Invalid, match="has no column 'nothing'; it has id, text"):
        ParquetSource(path, ("nothing",), ())


def test_what_the_collection_can_not_take_is_said_before_any_row(tmp_path: Path) -> None:
    source = ParquetSource(written(tmp_path, rows_of(3).select(["id", "text"])), None, ())
    key = Field(id=100, name="id", type=DataType.INT64, primary=True)
    text = Field(id=101, name="text", type=DataType.INT64)
    with pytest.raises(Invalid, match="column 'text' has type string, which does not become INT64"):
        source.check(Schema(fields=(key, text)))
    vector = Field(id=101, name="v", type=DataType.FLOAT_VECTOR, dim=4)
    made = Schema(fields=(key, Field(id=102, name="text", type=DataType.JSON), vector))
    with pytest.raises(Invalid, match="has no column 'v', which the collection needs; it has id"):
        source.check(made)
    automatic = Schema(fields=(Field(id=100, name="id", type=DataType.INT64, auto_id=True),))
    with pytest.raises(Invalid, match="makes this key itself: leave it out"):
        source.check(automatic)


def test_a_row_with_a_fault_is_shown_as_it_stands_in_the_file(tmp_path: Path) -> None:
    rows = rows_of(5)
    vectors = rows["vector"].to_pylist()
    vectors[3] = [1.0]
    rows = rows.set_column(5, "vector", pa.array(vectors, pa.list_(pa.float32())))
    source = ParquetSource(written(tmp_path, rows), ("id", "vector"), ("vector",))
    schema = Schema(
        fields=(
            Field(id=100, name="id", type=DataType.INT64, primary=True),
            Field(id=101, name="vector", type=DataType.FLOAT_VECTOR, dim=DIM),
        )
    )
    (piece,) = source.read(schema, 1)
    assert list(piece.faults) == [2]
    assert piece.original(2) == {"id": 3, "vector": [1.0]}


def test_what_is_no_parquet_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(Invalid, match="cannot be read as Parquet: "):
        ParquetSource(path, None, ())


def test_files_of_headrace_itself_come_back_with_every_type(tmp_path: Path) -> None:
    schema = every_type()
    rows = finite_rows(schema, 50)
    columns = [in_file(c, f.type) for c, f in zip(rows.columns, schema.fields, strict=True)]
    kinds = pa.schema([file_schema(schema).field(f.name) for f in schema.fields])
    source = ParquetSource(written(tmp_path, pa.Table.from_arrays(columns, schema=kinds)), None, ())
    source.check(schema)
    pieces = list(source.read(schema, 0))
    for field, wanted in zip(schema.fields, rows.columns, strict=True):
        found = pa.concat_arrays([p.columns[field.name] for p in pieces])
        assert found.equals(wanted.cast(found.type)), field.name
    assert not any(p.faults for p in pieces)
    made = {f.name: f.type for f in schema_for(source).fields}
    texts = {f.name for f in schema.fields if f.type == DataType.JSON}
    assert made == {f.name: f.type for f in schema.fields} | dict.fromkeys(texts, DataType.VARCHAR)
