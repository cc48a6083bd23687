"""Rows in and files out on a cluster of real servers: insert, replay, memory.

**Owns** the course of one run and its four figures. **Does not own** requests
(`bench.cluster.client`) or the machine's own speed (`bench.machine`).

One run, on a fresh cluster: requests while a data node writes files; then that node is killed and
requests go on, which makes a backlog of known size that ends with the Seals of a flush; then
another data node starts, and the replay lasts from the moment at which it is watching until the
flush is done: every segment file fsynced, reported and listed.
"""

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import machine
from bench.cluster.client import ROWS, Client, body_bytes, encoded_inserts, repeated
from bench.cluster.fresh import cluster, pids
from bench.figures import MB, Figure, Say
from headrace.app.edges import etcd_of
from headrace.app.settings import EtcdSettings
from headrace.app.standalone import Standalone
from headrace.meta.keys import Keys
from headrace.meta.records import Role, SessionRecord
from headrace.model import codec
from headrace.model.errors import HeadraceError
from headrace.rpc.grpc import GrpcPeers
from headrace.rpc.messages import NodeStateRequest
from headrace.runtime.host import real_host

DISTINCT = 16  # encoded requests; sent again and again
WARMING = 8  # requests before anything is measured
POLL_S = 0.01
WARM_FACTOR = 4  # warm pages for the log's files, segment files, memory of processes
SUCCESSOR = "data-node-2"


@dataclass
class Samples:
    """Of all runs."""

    inserts: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    replays: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    insert_cost: str = ""
    alone_cost: str = ""
    replay_cost: str = ""


async def measure(directory: Path, runs: int, requests: int, say: Say) -> list[Figure]:
    """Insert MB/s, replay as a share of write+fsync, peak memory of data nodes."""
    data = encoded_inserts(DISTINCT)
    samples = Samples()
    for number in range(1, runs + 1):
        say(f"insert and replay, run {number} of {runs}")
        await _run(directory, data, requests, samples)
    shares = [100 * r / f for r, f in zip(samples.replays, samples.floors, strict=True)]
    return [
        Figure(
            name="replay from NATS to fsynced files",
            samples=tuple(shares),
            unit="% of write+fsync",
            at_least=20,
            note=f"MB/s: {_told(samples.replays)} of {_told(samples.floors)}; "
            f"{samples.replay_cost}",
        ),
        Figure(
            name="insert, 4 in flight, synced",
            samples=tuple(samples.inserts),
            unit="MB/s",
            at_least=100,
            note=f"a data node writes files meanwhile; {samples.insert_cost}",
        ),
        Figure(
            name="the same, nobody reads",
            samples=tuple(samples.alone),
            unit="MB/s",
            note=samples.alone_cost,
        ),
        Figure(
            name="peak memory of a data node",
            samples=tuple(samples.peaks),
            unit="MB",
            at_most=500,
            worst=True,
            note="while rows come in, and while it replays",
        ),
    ]


def _told(values: list[float]) -> str:
    return " ".join(f"{value:.0f}" for value in values)


async def _run(directory: Path, data: list[bytes], requests: int, samples: Samples) -> None:
    size = body_bytes(ROWS) * requests

    async def warm() -> machine.WarmPages:
        return await asyncio.to_thread(machine.WarmPages, WARM_FACTOR * size)

    async def floor() -> float:
        (await warm()).release()
        return await asyncio.to_thread(machine.write_and_sync, directory.parent, size)

    sent = repeated(data, requests)
    async with cluster(directory, data_nodes=1, restart_data_nodes=False) as standalone:
        client = Client(standalone.front_doors[0])
        await client.create(2)
        await client.insert_all(repeated(data, WARMING))
        await client.flushed(await client.begin_flush())

        (await warm()).release()
        meter = machine.Meter(pids(standalone) | {"client": os.getpid()})
        samples.inserts.append(size / MB / await client.insert_all(sent))
        samples.insert_cost = meter.per_gb(size)
        await client.flushed(await client.begin_flush())
        samples.peaks.append(machine.peak_mb(standalone.pid_of("data-node-1")))

        standalone.kill("data-node-1")
        (await warm()).release()
        meter = machine.Meter(pids(standalone, without="data-node-1") | {"client": os.getpid()})
        samples.alone.append(size / MB / await client.insert_all(sent))
        samples.alone_cost = meter.per_gb(size)
        timestamp = await client.begin_flush()

        before = await floor()
        pages = await warm()
        await standalone.start_role(Role.DATA_NODE, SUCCESSOR)
        await _watching(standalone)
        pages.release()
        meter = machine.Meter(pids(standalone, without="data-node-1"))
        began = time.perf_counter()
        await client.flushed(timestamp)
        samples.replays.append(size / MB / (time.perf_counter() - began))
        samples.replay_cost = meter.per_gb(size)
        samples.peaks.append(machine.peak_mb(standalone.pid_of(SUCCESSOR)))
        samples.floors.append((before + await floor()) / 2)
        await client.close()


async def _watching(standalone: Standalone) -> None:
    """Return when the successor has been told to watch something: it reads from now on."""
    assert standalone.etcd is not None
    host, keys = real_host(), Keys()
    meta = etcd_of(EtcdSettings(endpoints=(standalone.etcd.endpoint,)), host)
    peers = GrpcPeers(host.clock)
    try:
        while True:
            item = (await meta.get(keys.session(Role.DATA_NODE.value, SUCCESSOR))).first
            if item is not None:
                session = codec.decode(item.value, SessionRecord, item.key)
                if await _watches(peers, session):
                    return
            await asyncio.sleep(POLL_S)
    finally:
        await peers.close()
        await meta.close()


async def _watches(peers: GrpcPeers, session: SessionRecord) -> bool:
    try:
        answer = await peers.call(
            session.address, NodeStateRequest(session.server_id), timeout_s=1.0
        )
    except HeadraceError:
        return False
    return bool(answer.channels)
