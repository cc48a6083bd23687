"""Vectors written and read by the page maker, beside PyArrow's list and the bytes alone.

**Owns** the figures of `binlog.vector_pages`, `binlog.sparse_pages` and their readers. **Does not
own** whole segment files (`bench.single.files`) or the way from a request to them
(`bench.columns.types`).

CPU seconds of one process, all threads, user and system: wall times swing on shared machines. Files
stay in the page cache and are not synced, since that costs the same for all. What counts is without
checksums of pages, on both sides; what they cost stands below the table. Every round does all jobs
of one kind of vector, and ratios are taken within a round.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.figures import MB, Figure, Say
from bench.single.files import cpu_s
from headrace.binlog.columns import OWN_FIELDS, arrow_schema, arrow_type
from headrace.binlog.insert_log import file_table, write_by_arrow
from headrace.binlog.parquet import sparse_pages, vector_pages
from headrace.binlog.parquet.page_cursor import places_of
from headrace.binlog.parquet.sparse_pages import MEMBERS
from headrace.binlog.parquet.sparse_reader import SparseReader
from headrace.binlog.parquet.spliced_file import parts_of
from headrace.binlog.parquet.vector_encoding import VECTOR_ENCODINGS
from headrace.binlog.parquet.vector_reader import VectorReader
from headrace.model.entry import Body
from headrace.model.schema import DataType, Field, Schema

SIZE_BYTES = 64 * MB
DIM = 768
PAIRS = 128  # of a sparse vector
CHUNK_ROWS = 1000  # of a request
AGAIN = 3  # times a job is done in a round, of which the least counts: see `bench.machine`
PARTS_AT_ONCE = 1000  # of one system call

# What a write may cost, in plain writes of the same bytes; the issue leaves sparse ones open.
WRITES_MOST = {
    DataType.FLOAT_VECTOR: 1.5,
    DataType.FLOAT16_VECTOR: 2.0,
    DataType.BFLOAT16_VECTOR: 2.0,
    DataType.INT8_VECTOR: 2.0,
    DataType.BINARY_VECTOR: 2.0,
    DataType.SPARSE_FLOAT_VECTOR: None,
}
READS_LEAST = 5.0  # times as fast as PyArrow reads its list

Jobs = dict[str, Callable[[], object]]


def measure(directory: Path, rounds: int, say: Say) -> list[Figure]:
    """Two figures for each kind of vector."""
    directory.mkdir()
    found: list[Figure] = []
    for kind in WRITES_MOST:
        say(f"pages of {kind.name}")
        vectors = _Vectors(kind, directory)
        costs = _costs(vectors.jobs(), vectors.size_bytes, rounds)
        found += _figures(kind, costs)
        vectors.remove()
    return found


@dataclass(frozen=True, slots=True)
class _Costs:
    """CPU seconds for each GB, of each round."""

    of: dict[str, list[float]]

    def ratio(self, name: str, to: str) -> tuple[float, ...]:
        return tuple(a / b for a, b in zip(self.of[name], self.of[to], strict=True))

    def told(self, *names: str) -> str:
        parts = ", ".join(f"{name} {median(self.of[name]):.2f}" for name in names)
        return f"CPU s/GB: {parts}"


def _figures(kind: DataType, costs: _Costs) -> list[Figure]:
    name = kind.name.lower().replace("_", " ")
    write = Figure(
        name=f"{name}: pages made and written",
        samples=costs.ratio("pages", "plain write"),
        unit="plain writes",
        at_most=WRITES_MOST[kind],
        note=costs.told("plain write", "pages", "pages with checksums", "PyArrow's list"),
    )
    read = Figure(
        name=f"{name}: pages read",
        samples=costs.ratio("PyArrow's reader", "our reader"),
        unit="x PyArrow",
        at_least=None if kind == DataType.SPARSE_FLOAT_VECTOR else READS_LEAST,
        note=costs.told("PyArrow's reader", "our reader", "our reader with checksums"),
    )
    return [write, read]


def _costs(jobs: Jobs, size_bytes: int, rounds: int) -> _Costs:
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):  # the first warms up and does not count
        for name, job in jobs.items():
            least = min(_cpu_s_of(job) for _ in range(AGAIN))
            if number:
                found[name].append(least / (size_bytes / 1e9))
    return _Costs(found)


def _cpu_s_of(job: Callable[[], object]) -> float:
    began = cpu_s()
    job()
    return cpu_s() - began


class _Vectors:
    """Vectors of one kind in memory, and files of them."""

    def __init__(self, kind: DataType, directory: Path) -> None:
        dim = 0 if kind == DataType.SPARSE_FLOAT_VECTOR else DIM
        self._field = Field(id=101, name="v", type=kind, dim=dim)
        key = Field(id=100, name="id", type=DataType.INT64, primary=True)
        self._schema = Schema(fields=(key, self._field))
        rows = _rows_of(self._schema)
        self._column, self._count = rows["v"], len(rows)
        self._table = file_table(self._schema, rows).select(["v"])
        self._buffers = _buffers_of(self._column)
        self.size_bytes = sum(map(len, self._buffers))
        self._ours, self._theirs = directory / "ours.parquet", directory / "theirs.parquet"
        self._scratch = directory / "written"
        self._out = np.ones(self.size_bytes, np.uint8)
        _write(self._ours, parts_of(self._schema, rows, partial(write_by_arrow, self._schema))[0])
        _write(self._theirs, [self._by_arrow()])

    def jobs(self) -> Jobs:
        """All that is measured."""
        return {
            "plain write": lambda: _write(self._scratch, self._buffers),
            "pages": lambda: _write(self._scratch, self._pages(checksums=False)),
            "pages with checksums": lambda: _write(self._scratch, self._pages(checksums=True)),
            "PyArrow's list": lambda: _write(
                self._scratch, [write_by_arrow(self._schema, self._table)]
            ),
            "PyArrow's reader": lambda: pq.ParquetFile(self._theirs).read(columns=["v"]),
            "our reader": lambda: self._read(checksums=False),
            "our reader with checksums": lambda: self._read(checksums=True),
        }

    def remove(self) -> None:
        """The files."""
        for path in (self._ours, self._theirs, self._scratch):
            path.unlink()

    def _pages(self, *, checksums: bool) -> Sequence[Body]:
        kind = self._field.type
        options = {"nullable": False, "checksums": checksums}
        if kind == DataType.SPARSE_FLOAT_VECTOR:
            return [p for c in sparse_pages.make(self._column, **options) for p in c.parts]
        return vector_pages.make(self._column, VECTOR_ENCODINGS[kind], **options).parts

    def _by_arrow(self) -> Body:
        return write_by_arrow(self._schema, self._table)

    def _read(self, *, checksums: bool) -> None:
        with pa.OSFile(str(self._ours)) as file:
            metadata = pq.ParquetFile(file).metadata

            def read_into(place: int, out: memoryview) -> int:
                file.seek(place)
                return int(file.readinto(out))

            options: dict[str, Any] = {"nullable": False, "checksums": checksums}
            if self._field.type == DataType.SPARSE_FLOAT_VECTOR:
                paths = [f"v.{member}.list.element" for member, _ in MEMBERS]
                leaves = [places_of(metadata, path, file.size()) for path in paths]
                SparseReader(read_into, leaves, **options).next(self._count)
            else:
                places = places_of(metadata, "v.list.element", file.size())
                reader = VectorReader(read_into, self._field, places, **options)
                reader.fill(self._out.data)


def _rows_of(schema: Schema) -> pa.Table:
    """Rows of about `SIZE_BYTES` in chunks, as a data node has them, with its own columns."""
    chance = np.random.default_rng(0)
    kind = arrow_type(schema.fields[1])
    sparse = pa.types.is_struct(kind)
    row_bytes = 8 * PAIRS if sparse else kind.list_size * kind.value_type.bit_width // 8
    batches, first = [], 0
    while first * row_bytes < SIZE_BYTES:
        vectors = _sparse(chance, kind) if sparse else _dense(chance, kind)
        columns = [pa.array(np.arange(first, first + CHUNK_ROWS)), vectors]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema)))
        first += CHUNK_ROWS
    rows = pa.Table.from_batches(batches)
    for own in OWN_FIELDS:
        rows = rows.append_column(own, pa.array(np.arange(first)))
    return rows


def _dense(chance: np.random.Generator, kind: pa.DataType) -> pa.Array:
    number = kind.value_type
    count = CHUNK_ROWS * kind.list_size
    if pa.types.is_float32(number):
        numbers = chance.standard_normal(count, np.float32)
    elif pa.types.is_float16(number):
        numbers = chance.standard_normal(count, np.float32).astype(np.float16)
    else:
        raw = chance.bytes(count * number.bit_width // 8)
        numbers = np.frombuffer(raw, number.to_pandas_dtype())
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers), type=kind)


def _sparse(chance: np.random.Generator, kind: pa.DataType) -> pa.Array:
    steps = chance.integers(1, 400, (CHUNK_ROWS, PAIRS), np.uint32)
    indices = np.cumsum(steps, axis=1, dtype=np.uint32).reshape(-1)
    values = chance.random(CHUNK_ROWS * PAIRS, np.float32)
    offsets = pa.array(np.arange(0, CHUNK_ROWS * PAIRS + 1, PAIRS, dtype=np.int32))
    lists = [pa.ListArray.from_arrays(offsets, pa.array(part)) for part in (indices, values)]
    return pa.StructArray.from_arrays(lists, fields=list(kind))


def _buffers_of(column: pa.ChunkedArray) -> list[memoryview]:
    """The numbers alone, where they are."""
    lists = column.chunks
    if pa.types.is_struct(column.type):
        lists = [chunk.field(n) for chunk in lists for n in range(len(MEMBERS))]
    return [memoryview(each.values.buffers()[1]).cast("B") for each in lists]


def _write(path: Path, parts: Sequence[Body]) -> None:
    with path.open("wb", buffering=0) as file:
        for first in range(0, len(parts), PARTS_AT_ONCE):
            some = parts[first : first + PARTS_AT_ONCE]
            if os.writev(file.fileno(), some) != sum(map(len, some)):
                raise SystemExit(f"{path}: the disk is full")
