"""Segment files: encoding and storing them beside a plain write of the same bytes.

**Owns** the figures of `binlog.insert_log`, `objects.disk` and the reader, without log or cluster.
**Does not own** the replay of a backlog, which rests on these.

MB = 10^6 bytes of row bodies. Wall times swing on shared machines: medians over the rounds, each
round doing every job once, so that all see the same machine. CPU seconds per GB count all threads.
Files are removed at once, so that page cache is used again: pages that the host has not backed yet
cost ten times as much to write, which is the host's figure and not ours.

    python -m bench.single.files [--dir DIR] [--megabytes 64] [--dim 768] [--rounds 7]
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

import headrace.reader
from bench.figures import file_system_of
from headrace.binlog import insert_log, manifest, paths
from headrace.binlog.body import decode_rows, encode_rows
from headrace.binlog.columns import arrow_schema
from headrace.binlog.insert_log import RowsChunk
from headrace.binlog.manifest import Manifest, ManifestSegment, NameList
from headrace.model.schema import DataType, Field, Schema
from headrace.model.segment import SegmentState
from headrace.objects.disk import Disk

COLLECTION = 1


@dataclass(frozen=True, slots=True)
class FileFigures:
    """Medians of one job."""

    name: str
    mb_s: float
    cpu_s_gb: float


def main() -> None:
    """Print a line a job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--dir", type=Path, default=Path.cwd(), help="a folder on a real disk")
    parser.add_argument("--megabytes", type=int, default=64, help="of one segment file")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    kind = file_system_of(options.dir)
    results = measure(options.dir, options.megabytes, options.dim, options.rounds)
    print(f"{options.megabytes} MB a file, dim {options.dim}, on {kind}; medians")
    for result in results:
        share = f"{result.mb_s / results[0].mb_s:6.0%}"
        print(f"{result.name:24}{result.mb_s:8.0f} MB/s {share}{result.cpu_s_gb:8.2f} CPU s/GB")


def measure(folder: Path, megabytes: int, dim: int, rounds: int) -> list[FileFigures]:
    """Medians, the floor (a plain write and fsync of the same bytes) first."""
    schema = schema_of(dim)
    chunks = made_chunks(schema, megabytes * 1_000_000, dim)
    size = sum(c.batch.nbytes for c in chunks)
    with tempfile.TemporaryDirectory(dir=folder, prefix="headrace-bench-") as name:
        root = Path(name)
        disk = Disk(root, "bench")
        disk.check()
        numbers = iter(range(1_000_000))
        raw = [b.buffers()[-1] for c in chunks for b in [c.batch.column("embedding").values]]
        store(disk, schema, chunks)

        def floor() -> None:
            with (root / f"floor-{next(numbers)}").open("wb", buffering=0) as file:
                assert os.writev(file.fileno(), raw) == sum(len(part) for part in raw)
                os.fsync(file.fileno())
                Path(file.name).unlink()

        def encode_and_put() -> None:
            key = paths.insert_key(COLLECTION, 1, 1, 2, next(numbers))
            disk.put(key, insert_log.encode(schema, chunks).parts)
            disk.delete([key])

        def read() -> None:
            assert headrace.reader.open(root, "bench").vectors("embedding").shape[1] == dim

        jobs: dict[str, Callable[[], object]] = {
            "write + fsync (floor)": floor,
            "encode": lambda: insert_log.encode(schema, chunks),
            "encode + put": encode_and_put,
            "read vectors as numpy": read,
        }
        return figures_of(jobs, size, rounds)


def figures_of(jobs: dict[str, Callable[[], object]], size: int, rounds: int) -> list[FileFigures]:
    """Medians of each job over the rounds; a first round warms up and does not count."""
    walls: dict[str, list[float]] = {name: [] for name in jobs}
    cpus: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), cpu_s()
            job()
            if number:
                walls[name].append(time.perf_counter() - wall)
                cpus[name].append(cpu_s() - cpu)
    return [
        FileFigures(
            name,
            size / 1e6 / statistics.median(walls[name]),
            statistics.median(cpus[name]) / (size / 1e9),
        )
        for name in jobs
    ]


def schema_of(dim: int) -> Schema:
    """Key, varchar, vector: the usual collection."""
    return Schema(
        fields=(
            Field(id=100, name="id", type=DataType.INT64, primary=True),
            Field(id=101, name="text", type=DataType.VARCHAR, max_length=1000),
            Field(id=102, name="embedding", type=DataType.FLOAT_VECTOR, dim=dim),
        )
    )


def made_chunks(schema: Schema, size_bytes: int, dim: int, rows: int = 1000) -> list[RowsChunk]:
    """Bodies of `rows` rows as they come from the log, together about as large as asked."""
    chance = np.random.default_rng(0)
    chunks: list[RowsChunk] = []
    total = 0
    while total < size_bytes:
        first = len(chunks) * rows
        vectors = chance.standard_normal((rows, dim), dtype=np.float32).reshape(-1)
        columns = [
            pa.array(np.arange(first, first + rows)),
            pa.array([f"row {n} of the benchmark" for n in range(first, first + rows)]),
            pa.FixedSizeListArray.from_arrays(pa.array(vectors), dim),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))
        chunks.append(RowsChunk(decode_rows(encode_rows(batch)), first, len(chunks) + 1))
        total += batch.nbytes
    return chunks


def store(disk: Disk, schema: Schema, chunks: list[RowsChunk]) -> None:
    """One segment with its lists, for the reader."""
    encoded = insert_log.encode(schema, chunks)
    key = paths.insert_key(COLLECTION, 1, 1, 1, 0)
    disk.put(key, encoded.parts)
    segment = ManifestSegment(
        id=1,
        partition_id=1,
        vchannel="bench-0_1v0",
        version=1,
        state=SegmentState.FLUSHED,
        rows=encoded.rows,
        files=(encoded.ref(key, 1),),
    )
    listed = Manifest(
        collection_id=COLLECTION,
        name="bench",
        revision=1,
        timestamp=len(chunks),
        version=1,
        schemas={1: schema},
        partitions={1: "_default"},
        segments=(segment,),
    )
    names = NameList(revision=1, names={"bench": COLLECTION})
    disk.put(paths.manifest_key(COLLECTION, 1), [manifest.encode(listed)])
    disk.put(paths.names_key(1), [manifest.encode(names)])


def cpu_s() -> float:
    """CPU seconds of this process so far, all threads, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
