"""One data node alone: a backlog in memory becomes fsynced segment files, beside a plain write.

**Owns** the figure of the flowgraph's six stages without log server, cluster or network. **Does not
own** the replay from NATS (`bench.cluster.insert`), which is what has to be reached.

MB = 10^6 bytes of row bodies. The log, the meta store and the data service are in memory and in
this process, so CPU seconds are the data node's but for a little. A profile of the loop's thread
shows what must stay small: decisions and decoding of heads; encoding and puts are in threads.

    python -m bench.single.replay [--dir DIR] [--megabytes 512] [--dim 768] [--segments 2]
        [--rounds 3]
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.figures import MB, file_system_of
from bench.machine import WarmPages, write_and_sync
from bench.single.files import cpu_s, schema_of
from headrace.binlog.body import encode_rows
from headrace.binlog.columns import arrow_schema
from headrace.datanode.service import DataNode
from headrace.datanode.settings import DataNodeSettings
from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.meta.api import Put
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import LeaderRecord, Role
from headrace.model import codec, group
from headrace.model.channel import Position
from headrace.model.entry import Body, Rows, Seal, SegmentRows, TermStart
from headrace.model.group import Group
from headrace.model.schema import Schema
from headrace.objects.api import ObjectStore
from headrace.objects.local import LocalObjects
from headrace.rpc.memory import MemoryNetwork
from headrace.rpc.messages import (
    NodeStateRequest,
    SaveBinlogPathsRequest,
    SaveBinlogPathsResponse,
    SaveCheckpointsRequest,
    SaveCheckpointsResponse,
    Watch,
    WatchDmChannelsRequest,
    WatchedSchema,
)
from headrace.runtime.host import real_host
from headrace.runtime.telemetry import silent

PCHANNEL, VCHANNEL = "bench-0", "bench-0_1v0"
ROWS = 1000
WARM_BYTES = 1_000 * MB


def body_of(schema: Schema, dim: int) -> Body:
    """A thousand rows as a client's request brings them."""
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal(ROWS * dim, dtype=np.float32)
    columns = [
        pa.array(np.arange(ROWS)),
        pa.array([f"row {n} of the benchmark" for n in range(ROWS)]),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors), dim),
    ]
    return encode_rows(pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema)))


def write_log(server: MemoryLogServer, body: Body, messages: int, segments: int) -> None:
    """A TermStart, messages of one entry each, a Seal for each segment."""
    server.ensure(PCHANNEL)

    def append(written: Group) -> None:
        server.append(PCHANNEL, b"".join(group.encode(written)), server.last(PCHANNEL))

    append(Group(0, 0, (TermStart(1, 1),)))
    for n in range(messages):
        segment_id = n % segments + 1
        rows = Rows(
            vchannel=VCHANNEL,
            timestamp=n + 2,
            collection_id=1,
            partition_id=1,
            version=1,
            part_id=n.to_bytes(16, "big"),
            fingerprint=b"",
            first_sent=1,
            keyed=False,
            rows=ROWS,
            first_row_id=n * ROWS,
            segments=(SegmentRows(segment_id, 0, ROWS, n < segments),),
            body=body,
        )
        append(Group(1, n + 1, (rows,)))
    seals = tuple(Seal(VCHANNEL, messages + 2 + i, i + 1) for i in range(segments))
    append(Group(1, messages + 1, seals))


class Reports:
    """A data service that says yes, and knows when all is flushed."""

    def __init__(self, segments: int) -> None:
        self._left = segments
        self.done = asyncio.Event()
        self.rows = 0

    async def save(self, request: SaveBinlogPathsRequest) -> SaveBinlogPathsResponse:
        """SaveBinlogPaths."""
        self.rows += sum(s.rows for s in request.segments)
        self._left -= sum(s.flushed for s in request.segments)
        if not self._left:
            self.done.set()
        return SaveBinlogPathsResponse("applied")

    async def move(self, request: SaveCheckpointsRequest) -> SaveCheckpointsResponse:
        """SaveCheckpoints."""
        return SaveCheckpointsResponse(())


async def replay(objects: ObjectStore, log: MemoryLogServer, schema: Schema, segments: int) -> int:
    """Watch, read, store and report all; the rows that were reported."""
    host, keys = real_host(), Keys()
    store, network = MemoryMetaServer(host.clock), MemoryNetwork(host.clock)
    reports = Reports(segments)
    service = network.server()
    await service.start(
        {SaveBinlogPathsRequest: reports.save, SaveCheckpointsRequest: reports.move}
    )
    for role in (Role.DATA_SERVICE, Role.MASTER_SERVICE):
        leader = LeaderRecord(server_id=9, node_name="bench", address=service.address)
        store.txn([], [Put(keys.leader(role), codec.encode(leader))])
    server = network.server()
    node = DataNode(
        Surroundings(
            settings=DataNodeSettings(),
            host=host,
            telemetry=silent(),
            keys=keys,
            node_name="bench",
            meta=store.client(),
            log=log.client(),
            objects=objects,
            peers=network.peers(),
            server=server,
        )
    )
    running = asyncio.create_task(node.run())
    while not node.healthy:  # noqa: ASYNC110 - a role does not announce it
        await asyncio.sleep(0.01)
    watch = Watch(
        vchannel=VCHANNEL,
        epoch=1,
        collection_id=1,
        seek=Position(PCHANNEL, 0, 0),
        deletes_checkpoint=None,
        schemas=(WatchedSchema(version=1, schema=schema),),
        segments=(),
    )
    peers = network.peers()
    await peers.call(server.address, WatchDmChannelsRequest(1, (watch,)), timeout_s=5)
    await reports.done.wait()
    state = await peers.call(server.address, NodeStateRequest(1), timeout_s=5)
    assert state.channels[0].state == "running", state
    node.stop()
    await running
    return reports.rows


def main() -> None:
    """Print a line a round, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--dir", type=Path, default=Path.cwd(), help="a folder on a real disk")
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--segments", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    schema = schema_of(options.dim)
    body = body_of(schema, options.dim)
    messages = max(options.segments, options.megabytes * MB // len(body))
    size = messages * len(body)
    log = MemoryLogServer()
    write_log(log, body, messages, options.segments)
    print(f"{size / MB:.0f} MB in {messages} messages, {file_system_of(options.dir)}")
    floors, speeds = [], []
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="headrace-bench-") as name:
        directory = Path(name)
        for number in range(options.rounds):
            WarmPages(WARM_BYTES).release()
            floors.append(write_and_sync(directory, size))
            root = directory / f"store-{number}"
            root.mkdir()
            began, cpu = time.perf_counter(), cpu_s()
            objects = LocalObjects(root, host=real_host())
            rows = asyncio.run(replay(objects, log, schema, options.segments))
            assert rows == messages * ROWS, rows
            speeds.append(size / MB / (time.perf_counter() - began))
            used = (cpu_s() - cpu) / (size / 1e9)
            print(f"replay {speeds[-1]:.0f} MB/s, {used:.2f} CPU s/GB; floor {floors[-1]:.0f} MB/s")
            for place, _, files in os.walk(root):
                for file in files:
                    (Path(place) / file).unlink()
    share = statistics.median(speeds) / statistics.median(floors)
    print(f"median {statistics.median(speeds):.0f} MB/s, {share:.0%} of write + fsync")


if __name__ == "__main__":
    main()
