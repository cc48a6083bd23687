"""Every type x key type x nullable x default x dynamic, through every client, on disk and in a
bucket, after a kill: what is read back is what was written, bit by bit, by every tool."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pandas
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pymilvus import DataType
from support.processes.cluster import Cluster
from support.servers.s3 import S3Bucket, s3_server
from support.values.type_cases import NEWER, TABLE, Case, Client, all_cases, write_all
from support.values.type_table import differences, key_of

from headrace.app.servers.s3 import S3Server
from headrace.reader.snapshot import Snapshot
from headrace.reader.snippets import duckdb_sql, polars_program, pyarrow_program

__all__ = ["s3_server"]  # a fixture

NAMES = [case.name for case in all_cases()]


@dataclass
class Written:
    """A store with every case in it."""

    cluster: Cluster
    cases: dict[str, Case]

    def snapshot(self, name: str) -> Snapshot:
        return self.cluster.snapshot(name)


@pytest.fixture(scope="module", params=["disk", "s3"])
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Written]:
    bucket = None
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        bucket = S3Bucket(f"{server.uri}/every-type", server.access())
    directory = Path(tmp_path_factory.mktemp("types")) / "data"
    cluster = Cluster(directory, bucket=bucket).start()
    try:
        cluster.wait_until_whole()
        client = Client(cluster.uri())
        cases = all_cases()
        write_all(cluster, client, cases)
        client.close()
        yield Written(cluster, {case.name: case for case in cases})
    finally:
        cluster.stop()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_back_is_what_was_written(written: Written, name: str) -> None:
    case = written.cases[name]
    table = written.snapshot(name).to_table()
    rows = list(case.rows.values())
    assert differences(table, TABLE, rows) == ""
    for column in TABLE:
        assert table[column.name].type == column.expected(rows).type, column.name
    table = table.sort_by("number")
    assert table["id"].to_pylist() == case.ordered_keys()
    if not case.auto:
        numbers = [n - NEWER if n >= NEWER else n for n in sorted(case.rows)]
        assert table["id"].to_pylist() == [key_of(case.key, n) for n in numbers]
    assert ("$meta" in table.column_names) == case.dynamic
    if case.dynamic:
        more = [{k: row[k] for k in ("extra", "more") if k in row} for row in case.ordered()]
        assert [orjson.loads(text) for text in table["$meta"].to_pylist()] == more


@pytest.mark.parametrize("name", NAMES)
def test_describe_tells_what_was_asked_for(written: Written, name: str) -> None:
    case = written.cases[name]
    client = written.cluster.client()
    told = client.describe_collection(name)
    client.close()
    assert (told["auto_id"], told["enable_dynamic_field"]) == (case.auto, case.dynamic)
    fields = {f["name"]: f for f in told["fields"]}
    assert fields["id"]["type"] == case.key
    for column in TABLE:
        field = fields[column.name]
        assert field["type"] == column.type
        assert field.get("nullable", False) == column.nullable
        assert field.get("element_type", DataType.NONE) == column.element
        assert bool(field.get("default_value")) == (column.default is not None)


# ---- other tools --------------------------------------------------------------------------------


def by_pyarrow(snapshot: Snapshot, store: Path) -> pa.Table:
    space: dict[str, Any] = {}
    exec(pyarrow_program(snapshot, store), space)
    found: pa.Table = space["rows"]
    return found


def by_duckdb(snapshot: Snapshot, store: Path) -> pa.Table:
    return duckdb.sql(duckdb_sql(snapshot, store, "SELECT * FROM rows")).to_arrow_table()


def by_polars(snapshot: Snapshot, store: Path) -> pa.Table:
    space: dict[str, Any] = {}
    exec(polars_program(snapshot, store), space)
    found: pa.Table = space["rows"].collect().to_arrow(compat_level=polars.CompatLevel.oldest())
    return found


def by_pandas(snapshot: Snapshot, store: Path) -> pa.Table:
    frames = [pandas.read_parquet(f, dtype_backend="pyarrow") for f in paths(snapshot, store)]
    return visible(snapshot, pa.concat_tables([pa.Table.from_pandas(f) for f in frames]))


def by_pages(snapshot: Snapshot, store: Path) -> pa.Table:
    """Each file as PyArrow reads it, no program of ours around it."""
    return visible(snapshot, pa.concat_tables([pq.read_table(f) for f in paths(snapshot, store)]))


def paths(snapshot: Snapshot, store: Path) -> list[Path]:
    return [store / file.ref.key for file in snapshot.files]


def visible(snapshot: Snapshot, found: pa.Table) -> pa.Table:
    """Without the rows that deletes hide; that rule is not what is looked at here."""
    ids = snapshot.to_table(["_row_id"])["_row_id"].combine_chunks()
    return found.filter(pc.is_in(found["_row_id"], ids))


@pytest.mark.parametrize("tool", [by_pages, by_pyarrow, by_duckdb, by_polars, by_pandas])
@pytest.mark.parametrize("name", ["milvus_client_INT64", "orm_VARCHAR_dynamic"])
@pytest.mark.parametrize("written", ["disk"], indirect=True)
def test_the_files_of_every_type_are_read_bit_by_bit(
    written: Written, name: str, tool: Any
) -> None:
    case = written.cases[name]
    snapshot = written.snapshot(name)
    table = tool(snapshot, written.cluster.directory / "store")
    assert differences(table, TABLE, list(case.rows.values())) == ""
    assert table.sort_by("number")["id"].to_pylist() == case.ordered_keys()
