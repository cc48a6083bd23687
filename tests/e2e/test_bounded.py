"""What must not grow without end: a data node's memory while the object store is away, the log and
the store while rows stream in.
"""

import contextlib
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from support.processes.cluster import Cluster
from support.processes.waiting import wait_until

import headrace.reader
from headrace.app import clusterfile

MB = 1_000_000
DIM, BATCH = 768, 500
BATCH_BYTES = BATCH * DIM * 4
NODE = "data-node-1"
NAME = "rows"


def create(client: MilvusClient) -> None:
    """A collection of 2 shards."""
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIM)
    client.create_collection(NAME, schema=schema, num_shards=2)


class Stream:
    """Rows with rising ids."""

    def __init__(self, client: MilvusClient) -> None:
        self._client = client
        self._vectors = np.random.default_rng(1).random((BATCH, DIM), np.float32)
        self.rows = 0

    def write(self, size_bytes: int) -> None:
        """So many bytes more, acknowledged."""
        for _ in range(size_bytes // BATCH_BYTES):
            ids = range(self.rows, self.rows + BATCH)
            rows = [{"id": n, "vector": v} for n, v in zip(ids, self._vectors, strict=True)]
            self._client.insert(NAME, rows)
            self.rows += BATCH


def files_below(directory: Path) -> Iterator[Path]:
    """All files; they and their folders may go meanwhile."""
    for folder, _, names in os.walk(directory):
        yield from (Path(folder) / name for name in names)


def size_of(directory: Path) -> int:
    """Bytes on disk."""
    total = 0
    for path in files_below(directory):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_blocks * 512
    return total


# ---- memory ------------------------------------------------------------------------------------

BUDGET = 32 * MB
ONE_MESSAGE = 8 * MB  # each vchannel may have one above the budget
OTHER = 40 * MB  # what else may grow: requests under way, pages that the allocator keeps
SYNC = 4 * MB


@pytest.fixture
def small_node(tmp_path: Path) -> Iterator[Cluster]:
    settings = (f"data_node.budget_bytes={BUDGET}", f"data_node.sync_bytes={SYNC}")
    cluster = Cluster(tmp_path / "data", data_nodes=1, settings=settings).start()
    yield cluster
    cluster.stop()


def memory(pid: int, name: str) -> int:
    """A line of the process's status in bytes: VmRSS now, VmHWM the most since `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


def forget_peak(pid: int) -> None:
    """The most memory counts from now on (see proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def metric(cluster: Cluster, name: str) -> float:
    """A figure that the data node tells."""
    address = clusterfile.read(cluster.directory).metrics[NODE]
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().split("\n")
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def test_memory_stays_within_the_budget_while_the_object_store_is_away(
    small_node: Cluster,
) -> None:
    cluster, client = small_node, small_node.client()
    create(client)
    stream = Stream(client)
    stream.write(2 * BUDGET)  # warm: what is loaded and kept once is not growth
    client.flush(NAME)

    store, away = cluster.directory / "store", cluster.directory / "store-away"
    store.rename(away)
    pid = cluster.pid(NODE)
    forget_peak(pid)
    before = memory(pid, "VmRSS")
    stream.write(5 * BUDGET)
    wait_until(lambda: metric(cluster, "headrace_datanode_put_failures_total") > 0, "a put fails")
    wait_until(
        lambda: metric(cluster, "headrace_datanode_used_bytes") > BUDGET / 2, "memory fills up"
    )
    assert metric(cluster, "headrace_datanode_used_bytes") <= BUDGET + 2 * ONE_MESSAGE
    grown = memory(pid, "VmHWM") - before
    assert grown <= BUDGET + OTHER, f"{grown / MB:.0f} MB"

    away.rename(store)
    client.flush(NAME, timeout=60)
    assert cluster.pid(NODE) == pid
    assert headrace.reader.open(cluster.standalone.store_uri, NAME).count() == stream.rows
    client.close()


# ---- disk --------------------------------------------------------------------------------------

ROUND = 32 * MB
ROUNDS = 4
LOG_MOST = 2 * ROUND  # less than what was streamed by the third round on
LISTS_MOST = 6

SMALL = (
    "data_node.sync_bytes=2000000",
    "sequencer.segment_bytes_max=4000000",
    "sequencer.window_keyed_s=4",
    "sequencer.window_other_s=4",
    "sequencer.tick_idle_s=1",
    "data_node.idle_report_s=1",
    "proxy.known_timestamp_s=0.5",
    "data_service.window_s=5",
    "data_service.truncate_interval_s=0.5",
    "data_service.grace_s=2",
    "data_service.collect_interval_s=0.5",
    "data_service.bundle_size=4",
    "data_service.bundle_interval_s=1",
)


@pytest.fixture
def small_grace(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path / "data", data_nodes=1, settings=SMALL).start()
    yield cluster
    cluster.stop()


def keys_below(store: Path, prefix: str) -> set[str]:
    """The objects that the store holds."""
    return {str(path.relative_to(store)) for path in files_below(store / prefix)}


def test_the_log_and_what_nobody_needs_stay_small_while_rows_stream_in(
    small_grace: Cluster,
) -> None:
    cluster, client = small_grace, small_grace.client()
    create(client)
    stream = Stream(client)
    log, store = cluster.standalone.nats, cluster.directory / "store"
    assert log is not None
    for number in range(ROUNDS):
        if number == 1:  # a replaced writer leaves files that nobody names
            with cluster.dying(NODE, "datanode.put.stands"):
                stream.write(ROUND)
        else:
            stream.write(ROUND)
        wait_until(lambda: size_of(log.store_dir) <= LOG_MOST, f"the log is cut, round {number}")
        wait_until(
            lambda: len(keys_below(store, "manifests")) <= LISTS_MOST,
            f"lists of old are gone, round {number}",
        )
    client.flush(NAME, timeout=60)

    def nothing_is_left_over() -> bool:
        snapshot = headrace.reader.open(cluster.standalone.store_uri, NAME)
        return {f.ref.key for f in snapshot.files} == keys_below(store, "insert")

    wait_until(nothing_is_left_over, "every insert log is on the list")
    assert headrace.reader.open(cluster.standalone.store_uri, NAME).count() == stream.rows

    client.drop_collection(NAME)
    kept = ("insert", "stats", "delta", "bundles")
    wait_until(
        lambda: not any(keys_below(store, prefix) for prefix in kept),
        lambda: f"files of the dropped collection go: {[keys_below(store, p) for p in kept]}",
    )
    wait_until(lambda: size_of(log.store_dir) <= ROUND, "nothing of it is left in the log")
    client.close()
