"""One data directory through every way in which a cluster can end, up to reading its files with no
process left. A client writes all the time and repeats what has no outcome yet: in the end each of
its rows is there exactly once.

The tests of this module are one story and run in their order.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from support.clients.writer import Writer, create, rows_of
from support.processes.command import Standalone, run
from support.processes.waiting import wait_until

import headrace.reader
from headrace.app.servers.nats import free_port
from headrace.reader.snippets import duckdb_sql, polars_program, pyarrow_program

NAME = "rows"
SOME = 300
# Of key spaces of their own: the writer does not get there.
KEPT = range(2_000_000, 2_000_100)
DELETED = range(3_000_000, 3_000_100)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    directory = tmp_path_factory.mktemp("life") / "one's 100%20 déjà"
    cluster = Standalone(directory, "--proxies", "2", "--set", "data_node.sync_bytes=100000")
    yield cluster.start()
    cluster.end()


@pytest.fixture(scope="module")
def writer(cluster: Standalone) -> Iterator[Writer]:
    client = cluster.client()
    create(client, NAME)
    client.close()
    with Writer(cluster, NAME, proxies=(1, 2)) as writer:
        yield writer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_and_the_next_start_goes_on(
    cluster: Standalone, writer: Writer, number: signal.Signals
) -> None:
    writer.wait_for(SOME)
    cluster.signal(number)
    assert cluster.wait() == 0
    assert cluster.said[-1] == "stopped; nothing is lost: the same --data-dir goes on"
    cluster.wait_for_children(0)
    cluster.start()
    writer.wait_for(SOME)


def blocks_signals(cluster: Standalone) -> bool:
    """It still imports its parts."""
    status = Path(f"/proc/{cluster.supervisor}/status").read_text()
    blocked = next(line for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(blocked.split()[1], 16) & 1 << (signal.SIGINT - 1))


@pytest.mark.parametrize(
    "moment",
    [
        blocks_signals,
        lambda cluster: cluster.has_said("starting"),
        lambda cluster: cluster.pid("etcd"),
        lambda cluster: cluster.pid("data-node-2"),
    ],
    ids=["importing", "starting", "servers", "roles"],
)
def test_ctrl_c_during_its_start_leaves_nothing_behind(
    cluster: Standalone, writer: Writer, moment: Callable[[Standalone], object]
) -> None:
    if cluster.status is None:
        cluster.stop()
    cluster.begin()
    wait_until(lambda: moment(cluster), "the moment", pause_s=0.001)
    cluster.signal(signal.SIGINT)
    assert cluster.wait() == 0
    assert "Traceback" not in "\n".join(cluster.said)
    cluster.wait_for_children(0)


def test_children_end_when_their_supervisor_is_killed_and_the_next_start_waits_for_them(
    cluster: Standalone, writer: Writer
) -> None:
    cluster.start()
    writer.wait_for(SOME)
    cluster.signal(signal.SIGKILL)
    assert cluster.wait() == -signal.SIGKILL
    cluster.start()
    cluster.wait_for_children(0)
    writer.wait_for(SOME)


def test_a_kill_of_everything_at_once_loses_nothing(cluster: Standalone, writer: Writer) -> None:
    writer.wait_for(SOME)
    cluster.kill_all()
    assert cluster.wait() == -signal.SIGKILL
    cluster.start()
    writer.wait_for(SOME)


def test_after_all_this_each_row_is_stored_exactly_once(
    cluster: Standalone, writer: Writer
) -> None:
    writer.end()
    writer.flush_and_compare()


def test_deletes_and_upserts_hide_what_they_replace(cluster: Standalone, writer: Writer) -> None:
    client = cluster.client()
    client.insert(NAME, rows_of(DELETED) + rows_of(KEPT))
    client.delete(NAME, ids=list(DELETED))
    client.upsert(NAME, rows_of(KEPT))
    client.flush(NAME)
    client.close()
    writer.acknowledged.update(KEPT)
    writer.compare()


def test_the_files_are_read_by_others_when_all_processes_have_ended(
    cluster: Standalone, writer: Writer
) -> None:
    assert cluster.stop() == 0
    cluster.wait_for_children(0)
    ids = sorted(writer.acknowledged)
    expected = f"{len(ids)} {sum(ids)}"
    found = [json.loads(row)["id"] for row in cluster.asked("scan", NAME, "--format", "jsonl")]
    assert sorted(found) == ids
    store = cluster.directory / "store"
    snapshot = headrace.reader.open(str(store), NAME)
    assert duckdb.sql(duckdb_sql(snapshot, store)).fetchall() == [(len(ids), sum(ids))]
    for program in (polars_program(snapshot, store), pyarrow_program(snapshot, store)):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout.strip() == expected, done.stderr


def test_the_number_of_pchannels_stays_what_it_was_at_first(cluster: Standalone) -> None:
    flags = ("--port", "0", "--set", "master_service.pchannels=8")
    other = run("standalone", "--data-dir", str(cluster.directory), *flags)
    assert other.returncode == 2
    assert other.stderr.startswith("headrace: master-service-1 refuses to start: this cluster was")
    assert other.stderr.count("\n") == 1
    assert other.stdout == f"starting a cluster in {cluster.directory}\n"


def test_a_store_is_one_cluster_s_and_a_cluster_s_store_stays_the_same(
    cluster: Standalone, tmp_path: Path
) -> None:
    store = str(cluster.directory / "store")
    taken = ("--data-dir", str(tmp_path / "second"), "--object-store", store)
    other = run("standalone", *taken, "--port", str(free_port()))
    assert other.returncode == 2
    assert other.stderr.startswith("headrace: the object store")
    assert "belongs to another cluster" in other.stderr
    (tmp_path / "elsewhere").mkdir()
    moved = ("--data-dir", str(cluster.directory), "--object-store", str(tmp_path / "elsewhere"))
    other = run("standalone", *moved, "--port", str(cluster.port))
    assert other.returncode == 2
    assert "is not the one that this cluster writes to" in other.stderr


def test_scan_says_which_collection_is_absent(cluster: Standalone) -> None:
    absent = run("scan", "nothing", "--data-dir", str(cluster.directory))
    assert absent.returncode == 2
    assert absent.stderr.startswith("headrace: ")
    assert absent.stderr.count("\n") == 1
    assert NAME in absent.stderr
