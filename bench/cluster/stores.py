"""The S3 store beside local disk: rows that come in until they are flushed, onto each in turn.

**Owns** the figure and the S3 server under it. **Does not own** requests (`bench.cluster.client`),
or S3's adapter (`objects.s3`).

One run on a fresh cluster for each store: requests with four in flight, then a flush; the time is
from the first request until every segment file stands and is listed. The server is SeaweedFS on
this machine, on the same disk, syncing every put, and it takes its CPU from the same cores; so half
the speed of the local disk is what is to be reached. What it uses stands below the table: a store
elsewhere costs the CPU of the clients only.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.cluster.client import ROWS, Client, body_bytes, encoded_inserts, repeated
from bench.cluster.fresh import cluster, pids
from bench.figures import MB, Figure, Say
from bench.machine import Meter, WarmPages
from headrace.app.servers.s3 import S3Server

DISTINCT = 16  # encoded requests; sent again and again
WARMING = 8  # requests before anything is measured
WARM_FACTOR = 3
SHARE_LEAST = 50  # percent


async def measure(directory: Path, runs: int, requests: int, say: Say) -> list[Figure]:
    """The speed onto S3 as a share of that onto the local disk."""
    data = encoded_inserts(DISTINCT)
    server = S3Server(directory / "s3")
    disk, bucket, costs = list[float](), list[float](), ["", ""]
    await server.start()
    try:
        access = server.access()
        keys = {
            "endpoint": access.endpoint,
            "access_key_id": access.access_key_id,
            "secret_access_key": access.secret_access_key,
        }
        settings = tuple(f"objects.{name}={value}" for name, value in keys.items())
        for number in range(1, runs + 1):
            say(f"rows onto disk and onto S3, run {number} of {runs}")
            speed, costs[0] = await _run(directory / "cluster", data, requests, {})
            disk.append(speed)
            uri = f"{server.uri}/{number}"
            options = {"object_store": uri, "settings": settings, "s3": server.pid}
            speed, costs[1] = await _run(directory / "cluster", data, requests, options)
            bucket.append(speed)
    finally:
        await server.stop()
    shares = [100 * s / d for s, d in zip(bucket, disk, strict=True)]
    return [
        Figure(
            name="rows in until flushed, to S3, server on this machine",
            samples=tuple(shares),
            unit="% of local disk",
            at_least=SHARE_LEAST,
            note=f"MB/s: {median(bucket):.0f} of {median(disk):.0f}; to disk {costs[0]}; to S3 "
            f"{costs[1]}",
        )
    ]


async def _run(
    directory: Path, data: list[bytes], requests: int, options: dict[str, Any]
) -> tuple[float, str]:
    """MB/s, and who used how much CPU for it."""
    s3 = options.pop("s3", None)
    size = body_bytes(ROWS) * requests
    async with cluster(directory, data_nodes=1, **options) as standalone:
        client = Client(standalone.front_doors[0])
        await client.create(2)
        await client.insert_all(repeated(data, WARMING))
        await client.flushed(await client.begin_flush())
        WarmPages(WARM_FACTOR * size).release()
        meter = Meter(pids(standalone) | {"S3 server": s3})
        began = time.perf_counter()
        await client.insert_all(repeated(data, requests))
        await client.flushed(await client.begin_flush())
        took = time.perf_counter() - began
        await client.close()
        return size / MB / took, meter.per_gb(size)
