"""`python -m bench.cluster.killed_ingest`: a large Parquet file, its ingest killed again and again.

**Owns** the course (a fresh cluster, SIGKILLs spread over the file, a last run to the end, a flush)
and the comparison of every stored row with the file. **Does not own** figures of speed
(`bench.cluster.file_ingest`). Exit status 0 only if each row stands once, bit by bit.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq

import headrace.reader
from bench.cluster.client import body_bytes
from bench.cluster.file_ingest import written
from bench.cluster.fresh import cluster
from bench.figures import MB, file_system_of

POLL_S = 0.002
COLLECTION = "killed"


def main() -> int:
    """Run it and print what happened; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.cluster.killed_ingest", description=__doc__
    )
    parser.add_argument("--mb", type=int, default=1000, help="size of the file")
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    here = Path.cwd()
    print(f"file system: {file_system_of(here)}")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-", dir=here) as name:
        return asyncio.run(_run(Path(name), options.mb * MB, options.kills))


async def _run(directory: Path, size: int, kills: int) -> int:
    rows = size // body_bytes(1)
    path = written(directory / "rows.parquet", rows)
    print(f"{path.name}: {rows:,} rows, {body_bytes(rows) / MB:,.0f} MB of row bodies")
    async with cluster(directory / "cluster") as standalone:
        words = [sys.executable, "-m", "headrace.cli.main", "ingest", str(path), "--create"]
        words += ["--key", "id", "--collection", COLLECTION]
        words += ["--data-dir", str(directory / "cluster")]
        journal = path.with_name(f"{path.name}.into-{COLLECTION}.journal")
        began = time.perf_counter()
        for kill in range(1, kills + 1):
            await asyncio.to_thread(_killed_at, words, journal, rows * kill // (kills + 1))
        last = time.perf_counter()
        done = await asyncio.to_thread(subprocess.run, [*words, "--flush"], check=False)
        took, rest = time.perf_counter() - began, time.perf_counter() - last
        if done.returncode:
            return 1
        print(f"all runs {took:.1f} s, the last one {rest:.1f} s with its flush")
        return await asyncio.to_thread(_compare, standalone.store_uri, path, rows)


def _killed_at(words: list[str], journal: Path, rows: int) -> None:
    """Start the command and kill it once so many rows are acknowledged."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while (standing := _standing(journal)) < rows and process.poll() is None:
            time.sleep(POLL_S)
        alive = process.poll() is None
        process.kill()
    print(f"{'killed' if alive else 'ENDED BY ITSELF'} with {standing:,} rows acknowledged")


def _standing(journal: Path) -> int:
    text = journal.read_bytes() if journal.exists() else b""
    lines = [orjson.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
    rows = {line["batch"]: line["rows"] for line in lines if "batch" in line}
    return sum(rows[line["done"]] for line in lines if "done" in line)


def _compare(store: str, path: Path, rows: int) -> int:
    wanted = pq.read_table(path, columns=["vector"], memory_map=True)["vector"]
    vectors = np.concatenate([np.asarray(c.flatten()) for c in wanted.chunks]).reshape(rows, -1)
    times = np.zeros(rows, np.int64)
    other = 0
    for batch in headrace.reader.open(store, COLLECTION).to_batches(["id", "vector"]):
        ids = batch.column("id").to_numpy()
        np.add.at(times, ids, 1)
        stored = np.asarray(batch.column("vector").flatten()).reshape(len(ids), -1)
        other += int((stored.view(np.uint32) != vectors[ids].view(np.uint32)).any(axis=1).sum())
    lost, doubled = int((times == 0).sum()), int((times - 1).clip(0).sum())
    print(f"stored {int(times.sum()):,}: lost {lost}, doubled {doubled}, altered {other}")
    return int(lost + doubled + other > 0)


if __name__ == "__main__":
    sys.exit(main())
