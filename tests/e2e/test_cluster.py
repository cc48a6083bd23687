"""Two proxies and a data node that is joined by another: forwarding, failover, balance, a disk
that fills up.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymilvus import MilvusClient, MilvusException
from support.clients.writer import Writer, create, rows_of
from support.processes.cluster import Cluster
from support.processes.command import run
from support.processes.waiting import wait_until

SOME = 400
TAKE_OVER_S = 5.0  # from SIGKILL of a proxy to the first row through the other
ROOM = 8_000_000_000  # bytes of free space that other programs may take while this runs

MACHINES = {
    "master-service-1": "master-service",
    "data-service-1": "data-service",
    "data-node-1": "data-node",
    "proxy-1": "sequencer",
}


@pytest.fixture(scope="module")
def kept_free(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The free space below which rows are refused."""
    free = shutil.disk_usage(tmp_path_factory.getbasetemp()).free
    return free - min(ROOM, free // 4)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, kept_free: int) -> Iterator[Cluster]:
    settings = (
        f"sequencer.log_free_bytes_min={kept_free}",
        "sequencer.disk_step_s=0.1",
        "data_service.cool_down_s=1",
        "data_service.balance_delay_s=0.5",
    )
    directory = tmp_path_factory.mktemp("cluster") / "data"
    cluster = Cluster(directory, data_nodes=1, proxies=2, settings=settings).start()
    yield cluster
    cluster.stop()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[MilvusClient]:
    cluster.wait_until_whole()
    client = cluster.client()
    yield client
    client.close()


def sequencer(cluster: Cluster, client: MilvusClient, collection: str) -> int:
    """The number of the proxy that sequences this collection of one shard."""
    (vchannel,) = cluster.watched(client, collection)
    return int(cluster.sequencers()[vchannel.rpartition("_")[0]].removeprefix("proxy-"))


def test_a_proxy_forwards_rows_to_the_sequencer_in_the_other(
    cluster: Cluster, client: MilvusClient
) -> None:
    create(client, "forwarded", shards=1)
    there = sequencer(cluster, client, "forwarded")
    with Writer(cluster, "forwarded", proxies=(3 - there,)) as writer:
        writer.wait_for(SOME)
    assert writer.errors == []
    writer.flush_and_compare(3 - there)
    cluster.drop("forwarded")


def test_rows_are_refused_while_the_disk_has_too_little_room_and_taken_afterwards(
    cluster: Cluster, client: MilvusClient, tmp_path: Path, kept_free: int
) -> None:
    create(client, "crowded")
    client.insert("crowded", rows_of(range(10)))
    ballast = tmp_path / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * (shutil.disk_usage(tmp_path).free - kept_free))
    wait_until(lambda: refusal(client, "crowded"), "rows are refused")
    with pytest.raises(MilvusException, match=r"disk|space|room") as refused:
        client.insert("crowded", rows_of(range(10, 20)))
    assert "\n" not in refused.value.message
    assert client.has_collection("crowded")
    ballast.unlink()
    wait_until(lambda: not refusal(client, "crowded"), "rows are taken again")
    client.insert("crowded", rows_of(range(20, 30)))
    client.flush("crowded")
    stored = sorted(cluster.read("crowded")["id"].to_pylist())
    assert [n for n in stored if n < 1000] == [*range(10), *range(20, 30)]
    cluster.drop("crowded")


def refusal(client: MilvusClient, collection: str) -> bool:
    """Whether a row is refused now."""
    try:
        client.upsert(collection, rows_of(range(1000, 1001)))
    except MilvusException:
        return True
    return False


def test_a_data_node_that_joins_gets_vchannels_while_rows_stream(
    cluster: Cluster, client: MilvusClient
) -> None:
    collection_id = create(client, "balanced", shards=4)
    with Writer(cluster, "balanced", proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
        assert set(cluster.watched(client, "balanced").values()) == {"data-node-1"}
        cluster.add_data_node("data-node-2")
        wait_until(
            lambda: (
                sorted(cluster.watchers(collection_id).values())
                == ["data-node-1", "data-node-1", "data-node-2", "data-node-2"]
            ),
            "each node watches two vchannels",
        )
        writer.wait_for(SOME)
    writer.flush_and_compare()
    cluster.drop("balanced")


def test_the_other_proxy_takes_rows_five_seconds_after_a_kill(
    cluster: Cluster, client: MilvusClient
) -> None:
    create(client, "taken_over", shards=1)
    there = sequencer(cluster, client, "taken_over")
    with Writer(cluster, "taken_over", proxies=(3 - there,), batch=10) as writer:
        writer.wait_for(SOME)
        began = time.monotonic()
        cluster.kill(f"proxy-{there}")
        writer.wait_for(50)  # more than were under way at the kill
        took = time.monotonic() - began
        writer.wait_for(SOME)
    assert took < TAKE_OVER_S
    writer.flush_and_compare(3 - there)
    cluster.drop("taken_over")


def test_the_journal_of_every_role_can_be_replayed(tmp_path: Path) -> None:
    settings = ("process.journal_steps=1000000", "process.journal_values=1000000")
    cluster = Cluster(tmp_path / "data", data_nodes=1, settings=settings).start()
    try:
        client = cluster.client()
        create(client, "kept", shards=1)
        client.insert("kept", rows_of(range(200)))
        client.flush("kept")
        client.close()
        for node in MACHINES:
            out = tmp_path / node
            run("inspect", "journal", node, "--data-dir", str(tmp_path / "data"), "--out", str(out))
    finally:
        cluster.stop()
    for node, machine in MACHINES.items():
        replayed = run("inspect", "journal", "--replay", str(tmp_path / node))
        assert replayed.returncode == 0, replayed.stdout
        lines = replayed.stdout.splitlines()
        assert lines and all(line.startswith(machine) for line in lines), replayed.stdout
        assert all(line.endswith("steps replayed, same effects") for line in lines)
