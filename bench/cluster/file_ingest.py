"""`headrace ingest` of a Parquet file: how fast the client is, with any server.

**Owns** the file, the run against a server that only answers, and the limit beside it: reading,
checking, cutting and encoding the same file without sending anything. **Does not own** that server
(`bench.cluster.answering`) or the whole cluster's speed (`bench.cluster.insert`).
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.cluster.answering import SCHEMA
from bench.cluster.client import DIM, body_bytes
from bench.figures import MB, Figure, Say
from bench.machine import Meter
from headrace.ingest.batches import Batches, Limits
from headrace.ingest.client.wire import insert_request
from headrace.ingest.options import Options
from headrace.ingest.resume.journal import UploadJournal
from headrace.ingest.run import Ingest
from headrace.ingest.sources.parquet import ParquetSource
from headrace.ingest.sources.source import RowSource
from headrace.ingest.upload import Listener
from headrace.runtime.host import real_host

GROUP_ROWS = 10_000
SHARE_LEAST = 40  # percent of what encoding alone does; the rest is gRPC and the journal's syncs


class _Nobody(Listener):
    """Needs to know nothing."""

    def began(self, source: RowSource, journal: UploadJournal) -> None:
        return

    def acknowledged(self, rows: int, size_bytes: int, position: int) -> None:
        return

    def note(self, text: str) -> None:
        raise SystemExit(text)


async def measure(directory: Path, runs: int, rows: int, say: Say) -> list[Figure]:
    """MB/s of row bodies, sent and only encoded, in turn."""
    path, size = written(directory / "rows.parquet", rows), body_bytes(rows)
    sent, encoded, cost = [], [], ""
    with _answering() as port:
        for number in range(-1, runs):  # the first warms files and memory, and does not count
            say(f"ingest of a Parquet file, run {number + 1} of {runs}")
            began = time.perf_counter()
            _encode(path)
            alone = time.perf_counter() - began
            meter = Meter({"client": os.getpid()})
            began = time.perf_counter()
            await _ingest(path, port)
            whole = time.perf_counter() - began
            if number >= 0:
                encoded.append(size / MB / alone)
                sent.append(size / MB / whole)
                cost = meter.per_gb(size)
    shares = [100 * s / e for s, e in zip(sent, encoded, strict=True)]
    return [
        Figure(
            name="ingest of a Parquet file, to a server that only answers",
            samples=tuple(sent),
            unit="MB/s",
            note=f"read, checked, encoded, journaled (synced), sent; {cost}",
        ),
        Figure(
            name="the same beside encoding alone",
            samples=tuple(shares),
            unit="%",
            at_least=SHARE_LEAST,
            note="encoding alone: " + " ".join(f"{e:.0f}" for e in encoded) + " MB/s",
        ),
    ]


def written(path: Path, rows: int) -> Path:
    """A Parquet file of the benchmark's rows, in row groups, with memory for one at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(7)
    kinds = pa.schema(
        [("id", pa.int64()), ("text", pa.string()), ("vector", pa.list_(pa.float32(), DIM))]
    )
    with pq.ParquetWriter(path, kinds, compression="none", use_dictionary=False) as writer:
        for first in range(0, rows, GROUP_ROWS):
            ids = np.arange(first, min(rows, first + GROUP_ROWS))
            floats = pa.array(chance.random(len(ids) * DIM, np.float32))
            texts = pa.array([f"row {i:09} of the benchmark" for i in ids])
            vectors = pa.FixedSizeListArray.from_arrays(floats, DIM)
            writer.write_batch(pa.RecordBatch.from_arrays([ids, texts, vectors], schema=kinds))
    return path


def _encode(path: Path) -> None:
    source = ParquetSource(path, None, ())
    batches = Batches(source.read(SCHEMA, 0), SCHEMA, Limits())
    while (batch := batches.next()) is not None:
        insert_request("bench", batch.fields, batch.columns)


async def _ingest(path: Path, port: int) -> None:
    options = Options(files=(path,), collection="bench", uri=f"http://127.0.0.1:{port}")
    (done,) = await Ingest(options, real_host(), _Nobody()).run()
    assert done.whole
    done.journal.unlink()


@contextmanager
def _answering() -> Iterator[int]:
    command = [sys.executable, "-m", "bench.cluster.answering"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()
