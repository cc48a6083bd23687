"""The S3 store beside local disk: a data node's replay onto each, in turn.

**Owns** the figure and the S3 server under it. **Does not own** the replay (`bench.replay`: log,
meta store and data service in this process), or S3's adapter (`objects.s3`).

The server is SeaweedFS on this machine, on the same disk, syncing every put, and it takes its CPU
from the same cores; so half the speed of the local disk is what is to be reached. Each round
replays the same backlog onto the disk and into the bucket, and the ratio is taken within a round.
"""

import shutil
import time
from pathlib import Path
from statistics import median

from bench.figures import MB, Figure, Say
from bench.files import schema_of
from bench.machine import WarmPages
from bench.replay import ROWS, body_of, replay, write_log
from headrace.app.s3_server import S3Server
from headrace.log.memory import MemoryLogServer
from headrace.model.schema import Schema
from headrace.objects.api import ObjectStore
from headrace.objects.local import LocalObjects
from headrace.objects.s3 import S3Objects
from headrace.runtime.host import real_host

SIZE_BYTES = 400 * MB
SEGMENTS = 2
DIM = 768
SHARE_LEAST = 50  # percent
WARM_FACTOR = 2


class _Backlog:
    """What is replayed again and again."""

    def __init__(self) -> None:
        self.schema: Schema = schema_of(DIM)
        body = body_of(self.schema, DIM)
        self.messages = SIZE_BYTES // len(body)
        self.size_bytes = self.messages * len(body)
        self.log = MemoryLogServer()
        write_log(self.log, body, self.messages, SEGMENTS)

    async def mb_s(self, objects: ObjectStore) -> float:
        """MB/s of row bodies until all is stored and reported."""
        WarmPages(WARM_FACTOR * self.size_bytes).release()
        began = time.perf_counter()
        rows = await replay(objects, self.log, self.schema, SEGMENTS)
        if rows != self.messages * ROWS:
            raise SystemExit(f"{rows} rows were stored of {self.messages * ROWS}")
        return self.size_bytes / MB / (time.perf_counter() - began)


async def measure(directory: Path, rounds: int, say: Say) -> list[Figure]:
    """The speed of S3 as a share of the local disk's."""
    server = S3Server(directory / "s3")
    backlog = _Backlog()
    await server.start()
    try:
        disk, bucket = list[float](), list[float]()
        for number in range(rounds + 1):  # the first warms up and does not count
            say(f"replay to disk and to S3, run {number} of {rounds}")
            disk.append(await backlog.mb_s(_local(directory / f"disk-{number}")))
            bucket.append(await backlog.mb_s(_in_bucket(server, number)))
            shutil.rmtree(directory / f"disk-{number}")
    finally:
        await server.stop()
    shares = [100 * s / d for s, d in zip(bucket[1:], disk[1:], strict=True)]
    return [
        Figure(
            name="replay to S3, server on this machine",
            samples=tuple(shares),
            unit="% of local disk",
            at_least=SHARE_LEAST,
            note=f"MB/s: {median(bucket[1:]):.0f} of {median(disk[1:]):.0f}; every put synced",
        )
    ]


def _local(root: Path) -> ObjectStore:
    root.mkdir(parents=True)
    return LocalObjects(root, host=real_host())


def _in_bucket(server: S3Server, number: int) -> ObjectStore:
    return S3Objects(f"{server.uri}/{number}", server.access(), host=real_host())
