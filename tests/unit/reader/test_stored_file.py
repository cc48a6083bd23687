"""Insert logs read as they are stored, whichever tool wrote them, or refused."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from support.values.every_type import every_type, rows_of

from headrace.binlog import insert_log
from headrace.binlog.columns import in_memory
from headrace.binlog.insert_log import RowsChunk
from headrace.model.errors import Conflict, Corrupt
from headrace.model.segment import FileRef
from headrace.objects.arrow_files import ReadHandler
from headrace.reader import stored_file
from headrace.reader.stored_file import opened

SCHEMA = every_type()
ROWS = rows_of(SCHEMA, list(range(500)))
NAMES = ROWS.schema.names
ENCODED = insert_log.encode(SCHEMA, [RowsChunk(ROWS, 0, 1)])
FILE = b"".join(ENCODED.parts)
REF = ENCODED.ref("rows.parquet", 1)


def held(data: bytes) -> pafs.FileSystem:
    """A file in memory, read as Arrow's own files are."""
    return pafs.PyFileSystem(ReadHandler("one", lambda _: [], lambda _: pa.BufferReader(data)))


def read(files: pafs.FileSystem, columns: Sequence[str] = NAMES, ref: FileRef = REF) -> pa.Table:
    """All batches with memory's types."""
    with opened(files, ref, SCHEMA) as file:
        batches = list(file.batches(columns))
    kinds = {f.name: f.type for f in SCHEMA.fields}
    table = pa.Table.from_batches(batches)
    return pa.table({n: in_memory(table[n], kinds[n]) for n in columns})


def bits(column: pa.ChunkedArray) -> object:
    """Vectors as bytes, in which NaNs have their payloads."""
    whole = column.combine_chunks()
    if pa.types.is_fixed_size_list(whole.type):
        return whole.flatten().to_numpy().tobytes()
    return whole.to_pylist()


def assert_right(found: pa.Table, columns: Sequence[str] = NAMES) -> None:
    """Every column is the one that was written."""
    assert found.column_names == list(columns)
    for name in columns:
        assert found[name].type == ROWS[name].type
        assert bits(found[name]) == bits(pa.chunked_array([ROWS[name]])), name


@pytest.mark.parametrize("most", [7, 500])
def test_every_column_comes_back_in_batches_of_any_size(monkeypatch, most):
    monkeypatch.setattr(stored_file, "BATCH_ROWS_MAX", most)
    assert_right(read(held(FILE)))


@pytest.mark.parametrize(
    "columns", [["FLOAT_VECTOR"], ["SPARSE_FLOAT_VECTOR", "INT8_VECTOR"], ["BINARY_VECTOR", "id"]]
)
def test_vectors_alone_come_back_in_the_order_in_which_they_are_wanted(monkeypatch, columns):
    monkeypatch.setattr(stored_file, "BATCH_ROWS_MAX", 99)
    assert_right(read(held(FILE), columns), columns)


class Counted(io.BytesIO):
    """A file in which each read is a request."""

    requests = 0

    def read(self, size: int | None = -1) -> bytes:
        self.requests += 1
        return super().read(size)


@pytest.mark.parametrize("ahead", [50, 1000, 1 << 24])
def test_a_file_in_which_reads_are_requests_is_read_ahead(monkeypatch, ahead):
    monkeypatch.setattr(stored_file, "AHEAD_BYTES", ahead)
    inner = Counted(FILE)
    files = pafs.PyFileSystem(
        ReadHandler("one", lambda _: [], lambda _: pa.PythonFile(inner, mode="r"))
    )
    assert_right(read(files))
    inner = Counted(FILE)
    assert_right(read(files, ["FLOAT_VECTOR"]), ["FLOAT_VECTOR"])
    assert ahead < 1 << 24 or inner.requests <= 4  # those of the footer, and one for all pages


def by_arrow(data: bytes, **settings: object) -> bytes:
    """Written anew by PyArrow."""
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(data)), sink, **settings)
    return sink.getvalue()


def _by_polars(data: bytes, path: Path) -> bytes:
    pl.read_parquet(io.BytesIO(data)).write_parquet(path / "anew.parquet")
    return (path / "anew.parquet").read_bytes()


def _by_duckdb(data: bytes, path: Path) -> bytes:
    (path / "rows.parquet").write_bytes(data)
    copy = f"COPY (FROM read_parquet('{path}/rows.parquet')) TO '{path}/anew.parquet'"
    duckdb.sql(f"{copy} (FORMAT parquet)")
    return (path / "anew.parquet").read_bytes()


REWRITES: dict[str, Callable[[bytes, Path], bytes]] = {
    "PyArrow": lambda data, _: by_arrow(data),
    "PyArrow, zstd, small pages": lambda data, _: by_arrow(
        data, compression="zstd", data_page_size=100, row_group_size=13
    ),
    "PyArrow, pages of version 2": lambda data, _: by_arrow(data, data_page_version="2.0"),
    "PyArrow, no Arrow schema": lambda data, _: by_arrow(data, store_schema=False),
    "PyArrow, byte stream split": lambda data, _: by_arrow(
        data, use_dictionary=False, use_byte_stream_split=["FLOAT_VECTOR.list.element"]
    ),
    "Polars": _by_polars,
    "DuckDB": _by_duckdb,
}


@pytest.mark.parametrize("tool", REWRITES)
def test_what_other_tools_wrote_anew_is_read_through_pyarrow(tmp_path, tool):
    anew = REWRITES[tool](FILE, tmp_path)
    assert anew != FILE
    with opened(held(anew), REF, SCHEMA) as file:
        out = np.zeros(len(ROWS) * 16, np.float32)
        assert not file.fill("FLOAT_VECTOR", out.view(np.uint8).data)
    assert_right(read(held(anew)))


def test_all_vectors_of_a_file_are_put_to_their_place():
    out = np.zeros((ROWS.num_rows, 16), np.float32)
    with opened(held(FILE), REF, SCHEMA) as file:
        assert file.fill("FLOAT_VECTOR", out.reshape(-1).view(np.uint8).data)
        assert not file.fill("SPARSE_FLOAT_VECTOR", memoryview(bytearray(8)))
    assert out.tobytes() == ROWS["FLOAT_VECTOR"].flatten().to_numpy().tobytes()


def test_a_file_that_is_cut_is_corrupt():
    for end in [0, 1, 8, len(FILE) // 2, len(FILE) - 1]:
        with pytest.raises(Corrupt, match=r"rows\.parquet cannot be read"):
            read(held(FILE[:end]))
    with pytest.raises(Corrupt):
        read(held(FILE[:1000] + FILE[1001:]))


def test_a_file_that_is_altered_anywhere_is_never_read_wrong():
    chance = np.random.default_rng(5)
    noticed = 0
    for _ in range(400):
        altered = bytearray(FILE)
        altered[int(chance.integers(len(FILE)))] ^= 1 << int(chance.integers(8))
        try:
            found = read(held(bytes(altered)))
        except Corrupt:
            noticed += 1
            continue
        assert_right(found)
    assert noticed > 300


def test_a_file_of_other_rows_than_meta_says_is_corrupt():
    other = insert_log.encode(SCHEMA, [RowsChunk(ROWS.slice(0, 499), 0, 1)])
    with pytest.raises(Corrupt, match="499 rows, and had 500"):
        read(held(b"".join(other.parts)))


def test_a_file_without_a_column_of_its_schema_is_corrupt():
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(FILE)).drop_columns(["INT32"]), sink)
    with pytest.raises(Corrupt, match="no column 'INT32'"):
        read(held(sink.getvalue()))


def test_a_file_that_is_gone_says_why():
    def absent(key: str) -> pa.NativeFile:
        raise FileNotFoundError(key)

    files = pafs.PyFileSystem(ReadHandler("none", lambda _: [], absent))
    with pytest.raises(Conflict, match="grace"):
        read(files)
