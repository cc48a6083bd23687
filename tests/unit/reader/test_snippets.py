"""The programs for other tools are run, and show the rows that the reader shows."""

import contextlib
import io
import json
import subprocess
import sys
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest
from support.values.rows import SMALL, key_field, schema_of, small_batch, text_field, vector_field
from support.world.bucket import disk_bucket

import headrace.reader
from headrace.binlog.columns import arrow_schema
from headrace.model.errors import NotFound
from headrace.model.schema import DataType, Field
from headrace.reader import jsonl, snippets


def run_program(text: str) -> str:
    """What it prints, run among names of its own as a new interpreter would."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "program", "exec"), {"__name__": "__main__"})
    return printed.getvalue().strip()


def run_by_itself(text: str) -> str:
    """What it prints as a process of its own."""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def by_every_tool(snapshot, store) -> list[str]:
    (row,) = duckdb.sql(snippets.duckdb_sql(snapshot, store)).fetchall()
    return [
        " ".join(map(str, row)),
        run_program(snippets.polars_program(snapshot, store)),
        run_program(snippets.pyarrow_program(snapshot, store)),
    ]


def rows_by_reader(snapshot) -> list[dict]:
    return [
        json.loads(line)
        for batch in snapshot.to_batches()
        for line in jsonl.lines(batch, snapshot.fields)
    ]


@pytest.fixture
def store(tmp_path):
    root = tmp_path / "it's a store"
    root.mkdir()
    return root


def test_every_tool_counts_and_sums_what_the_reader_prints(store):
    bucket = disk_bucket(store, SMALL)
    bucket.rows(20, (5, small_batch([1, 2, 3])), (8, small_batch([3], seed=9)))
    bucket.rows(21, (5, small_batch([10, 11])), (12, small_batch([100])))
    bucket.deletes((6, [2]), (8, [3]))
    bucket.deletes((7, [11, 12]), (12, [1]))
    bucket.publish(timestamp=10)
    (store / "insert/7/2/20/1-99.parquet").write_bytes(b"of a killed writer")
    snapshot = headrace.reader.open(store, "docs")
    ids = [row["id"] for row in rows_by_reader(snapshot)]
    assert sorted(ids) == [1, 3, 10]
    assert by_every_tool(snapshot, store) == [f"{len(ids)} {sum(ids)}"] * 3
    assert by_every_tool(snapshot, store.as_uri()) == [f"{len(ids)} {sum(ids)}"] * 3


def test_every_tool_reads_varchar_keys(store):
    schema = schema_of(key_field(DataType.VARCHAR))
    bucket = disk_bucket(store, schema)
    batch = pa.RecordBatch.from_arrays([pa.array(["a", "b", "c"])], schema=arrow_schema(schema))
    bucket.rows(20, (5, batch))
    bucket.deletes((6, ["a"]))
    bucket.publish()
    snapshot = headrace.reader.open(store, "docs")
    assert by_every_tool(snapshot, store) == ["2 b c"] * 3
    for program in (snippets.polars_program, snippets.pyarrow_program):
        assert run_by_itself(program(snapshot, store)) == "2 b c"


@pytest.mark.parametrize("key", [int, "key {}".format])
def test_every_tool_hides_in_one_partition_what_was_deleted_there(store, key):
    text = not isinstance(key, type)
    kind = DataType.VARCHAR if text else DataType.INT64
    schema = schema_of(key_field(kind), replace(text_field(), id=102, name="until"))
    bucket = disk_bucket(store, schema)
    bucket.partitions[3] = "other"

    def rows(*numbers: int) -> pa.RecordBatch:
        columns = [pa.array([key(n) for n in numbers]), pa.array([str(n) for n in numbers])]
        return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))

    bucket.rows(20, (5, rows(1, 2, 3, 4)), (9, rows(2)))
    bucket.rows(21, (5, rows(1, 2, 3, 5)), partition_id=3)
    bucket.deletes((6, [key(4)]))
    bucket.publish()
    assert "partition" not in snippets.duckdb_sql(headrace.reader.open(store, "docs"), store)
    bucket.deletes((6, [key(1), key(2)]), partition_id=2)
    bucket.deletes((7, [key(1), key(5)]), partition_id=99)
    bucket.deletes((8, [key(3)]), partition_id=3)
    bucket.publish(timestamp=10)
    snapshot = headrace.reader.open(store, "docs")
    keys = sorted(row["id"] for row in rows_by_reader(snapshot))
    assert keys == [key(n) for n in (1, 2, 2, 3, 5)]
    ends = f"{keys[0]} {keys[-1]}" if text else str(sum(keys))
    assert by_every_tool(snapshot, store) == [f"5 {ends}"] * 3
    bucket.deletes((10, [key(1)]), (11, [key(2)]))
    bucket.publish()
    snapshot = headrace.reader.open(store, "docs")
    assert sorted(row["id"] for row in rows_by_reader(snapshot)) == [key(3), key(5)]
    ends = f"{key(3)} {key(5)}" if text else "8"
    assert by_every_tool(snapshot, store) == [f"2 {ends}"] * 3


def test_every_tool_reads_a_collection_without_deletes(store):
    bucket = disk_bucket(store, SMALL)
    bucket.rows(20, (5, small_batch([1, 2])))
    bucket.publish()
    assert by_every_tool(headrace.reader.open(store, "docs"), store) == ["2 3"] * 3


def test_every_tool_fills_what_older_files_lack(store):
    bucket = disk_bucket(store, SMALL)
    bucket.rows(20, (5, small_batch([1, 2])))
    added = (
        Field(id=110, name="n", type=DataType.INT16, default=7, has_default=True),
        Field(id=111, name="s", type=DataType.VARCHAR, default="it's", has_default=True),
        Field(id=112, name="b", type=DataType.BOOL, default=True, has_default=True),
        Field(id=113, name="f", type=DataType.FLOAT, default=0.1, has_default=True),
        Field(id=114, name="t", type=DataType.VARCHAR, nullable=True),
        replace(vector_field(2, nullable=True), id=115, name="v"),
        replace(text_field(nullable=True), id=116),
    )
    kept = [f for f in SMALL.fields if f.name != "text"]
    bucket.alter(schema_of(*kept, *added))
    bucket.publish()
    check_columns(store)
    newest = small_batch([3])
    columns = [
        *(newest.column(f.name) for f in kept),
        pa.array([1], pa.int16()),
        pa.array(["x"]),
        pa.array([False]),
        pa.array([0.5], pa.float32()),
        pa.array(["t"]),
        pa.array([[1, 2]], pa.list_(pa.float32(), 2)),
        pa.array(["new"]),
    ]
    bucket.rows(21, (6, pa.RecordBatch.from_arrays(columns, schema=arrow_schema(bucket.schema))))
    bucket.publish()
    check_columns(store)


def check_columns(store) -> None:
    snapshot = headrace.reader.open(store, "docs")
    expected = snapshot.to_table().to_pylist()
    query = "SELECT * FROM rows ORDER BY id"
    table = duckdb.sql(snippets.duckdb_sql(snapshot, store, query)).to_arrow_table()
    assert table.select(snapshot.schema.names).to_pylist() == expected
    for program, rows in (
        (snippets.polars_program, 'rows.sort("id").collect().to_arrow()'),
        (snippets.pyarrow_program, 'rows.sort_by("id")'),
    ):
        shown = run_program(
            f"{program(snapshot, store)}\nimport json\nprint(json.dumps({rows}.to_pylist()))"
        )
        found = json.loads(shown.splitlines()[-1])
        assert [{n: r[n] for n in snapshot.schema.names} for r in found] == expected


def test_a_collection_without_files_has_no_lines(store):
    disk_bucket(store, SMALL).publish()
    with pytest.raises(NotFound, match="no files yet"):
        snippets.duckdb_sql(headrace.reader.open(store, "docs"), store)


def test_files_in_a_bucket_are_named_by_their_uri(store):
    bucket = disk_bucket(store, SMALL)
    ref = bucket.rows(20, (5, small_batch([1])))
    bucket.publish()
    text = snippets.duckdb_sql(headrace.reader.open(store, "docs"), "s3://bucket/prefix")
    assert f"'s3://bucket/prefix/{ref.key}'" in text
