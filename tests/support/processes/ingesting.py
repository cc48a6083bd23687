"""The `ingest` command in tests: files of every format with the same rows, and runs that die.

**Owns** the files, and processes of the command that are killed when their journal says that they
are amid their work. **Does not own** clusters (`support.processes.cluster`) or comparisons.
"""

import csv
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.model.schema import DataType, Schema
from support.processes.command import HEADRACE, run
from support.processes.waiting import wait_until
from support.values import every_type

DIM = 16
HALVES = (DataType.FLOAT16_VECTOR, DataType.BFLOAT16_VECTOR)


def rows_of(count: int, *, dim: int = DIM, first: int = 0) -> pa.Table:
    """Rows with keys from `first` on: texts, numbers with nulls, lists, structs, vectors."""
    ids = np.arange(first, first + count)
    floats = np.random.default_rng(first).random(count * dim, np.float32)
    return pa.table(
        {
            "id": pa.array(ids),
            "text": pa.array([f"row {i}" for i in ids]),
            "score": pa.array([None if i % 5 == 0 else i / 4 for i in ids], pa.float64()),
            "tags": pa.array([[f"t{i % 3}"] * (i % 4) for i in ids], pa.list_(pa.string())),
            "about": pa.array([{"n": int(i), "even": bool(i % 2 == 0)} for i in ids]),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(floats), dim),
        }
    )


def finite_rows(schema: Schema, count: int) -> pa.RecordBatch:
    """Rows of `every_type`; vectors of floats without NaN, which is refused."""
    rows = every_type.rows_of(schema, list(range(count)))
    for place, field in enumerate(schema.fields):
        if field.type in (DataType.FLOAT_VECTOR, *HALVES):
            kind = rows.column(place).type
            number = np.float32 if field.type == DataType.FLOAT_VECTOR else np.uint16
            numbers = pa.array(np.arange(count * field.dim).astype(number) % 1000)
            flat = (
                numbers.cast(kind.value_type)
                if number == np.float32
                else numbers.view(kind.value_type)
            )
            column = pa.FixedSizeListArray.from_arrays(flat, field.dim)
            rows = rows.set_column(place, field.name, column)
    return rows


def write(rows: pa.Table, path: Path) -> Path:
    """The rows in the format that the path's suffix says."""
    match path.suffix:
        case ".parquet":
            pq.write_table(rows, path, row_group_size=max(1, rows.num_rows // 3))
        case ".jsonl":
            path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows.to_pylist()))
        case ".csv":
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(rows.schema.names)
                for row in rows.to_pylist():
                    writer.writerow([_cell(v) for v in row.values()])
        case ".npy":
            vectors = rows["vector"].combine_chunks()
            np.save(path, vectors.flatten().to_numpy().reshape(len(vectors), -1))
    return path


def _cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, list | dict) else value


def journal_of(path: Path, collection: str) -> Path:
    """Where the journal of a source is."""
    return path.with_name(f"{path.name}.into-{collection}.journal")


def lines_of(journal: Path) -> list[dict[str, object]]:
    """What a journal says, whole lines only."""
    text = journal.read_bytes() if journal.exists() else b""
    return [orjson.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def ingest(*words: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return run("ingest", *words, timeout_s=timeout_s)


def counted(journal: Path, word: str) -> int:
    """How many lines of a journal begin with this word."""
    return sum(word in line for line in lines_of(journal))


@contextmanager
def ingesting(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command runs inside the block, and is killed at its end."""
    silent = subprocess.DEVNULL
    process = subprocess.Popen([*HEADRACE, "ingest", *words], stdout=silent, stderr=silent)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def killed_after(journal: Path, done: int, *words: str) -> bool:
    """Run the command until so many more batches are acknowledged, then kill it with SIGKILL;
    whether it was still running."""
    wanted = counted(journal, "done") + done
    with ingesting(*words) as process:
        wait_until(
            lambda: process.poll() is not None or counted(journal, "done") >= wanted,
            f"{done} batches are acknowledged",
            pause_s=0.002,
        )
        return process.poll() is None
