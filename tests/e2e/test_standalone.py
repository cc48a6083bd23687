"""`headrace standalone` as a person sees it: ready in time, whole again after every death."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pymilvus import MilvusClient
from support.clients.writer import Writer, create, rows_of
from support.processes.command import Standalone, run
from support.processes.waiting import wait_until

FIRST_ROW_S = 10.0  # from the start of the command to the first row acknowledged
ROLES = ("master-service-1", "data-service-1", "data-node-1", "data-node-2", "proxy-1")
SERVERS = ("etcd", "nats")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    cluster = Standalone(tmp_path_factory.mktemp("standalone") / "data")
    cluster.start()
    yield cluster
    cluster.end()


@pytest.fixture
def client(running: Standalone) -> Iterator[MilvusClient]:
    client = running.client()
    yield client
    client.close()


def healthy(cluster: Standalone) -> bool:
    """Whether every role says so at its endpoint."""
    return all(fetch(f"{address}/healthz") == (200, "ok\n") for address in metrics(cluster))


def metrics(cluster: Standalone) -> list[str]:
    """The endpoints that cluster.json names."""
    return list(cluster.file.metrics.values())


def fetch(address: str) -> tuple[int, str]:
    """Status and body; (0, "") when nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def test_the_first_row_is_acknowledged_ten_seconds_after_the_start(
    running: Standalone, client: MilvusClient
) -> None:
    create(client, "first")
    client.insert("first", rows_of(range(1)))
    assert time.monotonic() - running.began < FIRST_ROW_S


def test_it_prints_what_a_person_wants_to_know_and_nothing_else(running: Standalone) -> None:
    assert [line.split(":")[0] for line in running.said[:3]] == [
        f"starting a cluster in {running.directory}",
        "ready",
        "files",
    ]
    assert running.said[1] == f"ready: MilvusClient('http://127.0.0.1:{running.port}')"


def test_cluster_json_says_where_everything_is(running: Standalone) -> None:
    content = json.loads((running.directory / "cluster.json").read_text())
    assert content["supervisor_pid"] in {p.pid for p in running.family()}
    assert content["front_doors"] == [f"127.0.0.1:{running.port}"]
    assert content["store"] == f"file://{running.directory}/store"
    assert sorted(content["metrics"]) == sorted(ROLES)
    for address in (content["etcd"], content["nats"].removeprefix("nats://")):
        assert address.startswith("127.0.0.1:")


def test_everything_listens_on_loopback_only(running: Standalone) -> None:
    listening = [
        connection.laddr.ip
        for process in running.family()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 12
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("name", ROLES)
def test_every_role_has_metrics_and_says_whether_it_is_healthy(
    running: Standalone, name: str
) -> None:
    address = running.file.metrics[name]
    assert fetch(f"{address}/healthz") == (200, "ok\n")
    status, body = fetch(f"{address}/metrics")
    assert status == 200
    assert "\nheadrace_" in body


def test_every_process_writes_its_log(running: Standalone) -> None:
    for name in (*ROLES, *SERVERS):
        assert (running.directory / "logs" / f"{name}.log").stat().st_size > 0, name
    for name in ROLES:
        lines = (running.directory / "logs" / f"{name}.log").read_text().splitlines()
        assert all(json.loads(line)["process"] == name for line in lines)
        assert (running.directory / "logs" / f"{name}.out").read_text() == "", name


def test_status_and_inspect_show_it(running: Standalone, client: MilvusClient) -> None:
    create(client, "shown")
    client.insert("shown", rows_of(range(10)))
    client.flush("shown")
    text = "\n".join(running.asked("status"))
    for name in ROLES:
        assert name in text
    assert text.count("healthy") == len(ROLES)
    assert "shown" in text
    client.drop_collection("shown")
    create(client, "shown")
    client.insert("shown", rows_of(range(10)))
    client.flush("shown")
    (line,) = [x for x in running.asked("status") if "v1" in x and "shown" in x]
    assert "dropped" not in line
    for topic, words in {
        "nodes": ["data-node-2", "127.0.0.1:"],
        "channels": ["v0", "v1", "running", "shown", "headrace-dml-15"],
        "segments": ["flushed", "v0", "shown"],
        "checkpoints": ["v1", "blocker"],
    }.items():
        shown = "\n".join(running.asked("inspect", topic))
        assert not [w for w in words if w not in shown], shown


def test_scan_reads_what_was_flushed(running: Standalone, client: MilvusClient) -> None:
    create(client, "scanned")
    client.insert("scanned", rows_of(range(25)))
    client.flush("scanned")
    assert running.asked("scan", "scanned", "--format", "count") == ["25"]
    lines = running.asked("scan", "scanned", "--format", "jsonl")
    assert sorted(json.loads(line)["id"] for line in lines) == list(range(25))


def test_a_second_cluster_in_the_same_directory_is_refused(running: Standalone) -> None:
    second = run("standalone", "--data-dir", str(running.directory), "--port", "0")
    assert second.returncode == 2
    assert second.stderr == (
        f"headrace: the data directory {running.directory} is in use by a live cluster; "
        "stop that one first, or name another with --data-dir\n"
    )


def test_a_port_in_use_is_refused_and_nothing_is_left(running: Standalone, tmp_path: Path) -> None:
    second = run("standalone", "--data-dir", f"{tmp_path}/other", "--port", f"{running.port}")
    assert second.returncode == 2
    assert second.stderr.startswith(f"headrace: port {running.port} is in use; ")
    assert second.stderr.count("\n") == 1
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize("node", [*ROLES, *SERVERS])
def test_a_child_that_dies_is_started_again(
    running: Standalone, client: MilvusClient, node: str
) -> None:
    name = node.replace("-", "_")
    create(client, name)
    with Writer(running, name) as writer:
        writer.wait_for(100)
        pid = running.pid(node)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: running.pid(node) not in (0, pid), f"{node} runs again")
        writer.wait_for(100)
    writer.flush_and_compare()
    wait_until(lambda: healthy(running), "all are healthy")
    told = [line for line in running.said if line.startswith(f"{node} ended")]
    assert len(told) == 1
    assert told[0].startswith(f"{node} ended (signal 9); restarting it in ")


def test_ctrl_c_stops_it_in_order(running: Standalone) -> None:
    """The last test of the module."""
    assert running.stop() == 0
    running.wait_for_children()
    assert running.said[-1] == "stopped; nothing is lost: the same --data-dir goes on"
    assert run("status", "--data-dir", str(running.directory)).stderr == (
        f"headrace: the cluster in {running.directory} does not run; start it with "
        f"`headrace standalone --data-dir {running.directory}`\n"
    )
