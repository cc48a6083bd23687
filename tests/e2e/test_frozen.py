"""Processes that freeze (SIGSTOP) for longer than their lease and wake when others have gone on.

Segments are small, a report takes one of them, and nothing is cut while something is unreported: so
the sync that follows a pause of the data service takes several transactions.
"""

from collections.abc import Iterator

import pytest
from pymilvus import MilvusClient
from support.clients.writer import Writer, create
from support.processes.cluster import Cluster
from support.processes.waiting import wait_until

SOME = 600
SMALL_SEGMENTS = (
    "sequencer.segment_bytes_max=50000",
    "data_node.unreported_bytes_most=1",
    "data_node.report_segments_most=1",
    "data_node.lease_ttl_s=2",
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("frozen") / "data"
    cluster = Cluster(directory, proxies=2, settings=SMALL_SEGMENTS).start()
    yield cluster
    cluster.stop()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[MilvusClient]:
    """Of a cluster that has recovered from what came before."""
    cluster.wait_until_whole()
    client = cluster.client()
    yield client
    client.close()


def test_rows_outlive_a_data_node_between_two_transactions_of_a_sync(
    cluster: Cluster, client: MilvusClient
) -> None:
    create(client, "between")
    with Writer(cluster, "between", proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
        node = min(cluster.watched(client, "between").values())
        with cluster.dying(node, "datanode.report.between"), cluster.paused("data-service-1"):
            writer.wait_for(2 * SOME)
        writer.wait_for(SOME)
    writer.flush_and_compare()
    cluster.drop("between")


@pytest.mark.parametrize(
    "point", ["datanode.put.begins", "datanode.put.stands", "datanode.report.between"]
)
def test_a_data_node_that_wakes_after_its_successor_has_committed_changes_nothing(
    cluster: Cluster, client: MilvusClient, point: str
) -> None:
    name = f"woken_{point.rpartition('.')[2]}"
    create(client, name)
    with Writer(cluster, name, proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
        watched = cluster.watched(client, name)
        node = min(watched.values())
        cluster.arm(node, f"{point}:freeze")
        with cluster.paused("data-service-1"):
            writer.wait_for(2 * SOME)
        with cluster.frozen(node):
            wait_until(lambda: _others(cluster, client, name, node), "a successor watches")
            writer.wait_for(SOME)
            before = writer.flush_and_compare()
        pid = cluster.pid(node)
        wait_until(lambda: cluster.is_healthy(node), f"{node} is back")
        writer.wait_for(SOME)
    after = writer.flush_and_compare()
    assert set(before["id"].to_pylist()) <= set(after["id"].to_pylist())
    assert cluster.pid(node) == pid, "it goes on as the same process"
    cluster.drop(name)


def _others(cluster: Cluster, client: MilvusClient, collection: str, node: str) -> bool:
    """Whether all vchannels of the collection are watched by other nodes."""
    told = client.describe_collection(collection)
    found = cluster.watchers(told["collection_id"])
    return len(found) == told["num_shards"] and node not in found.values()


@pytest.mark.parametrize("point", ["sequencer.group.sending", "sequencer.group.stands"])
def test_a_sequencer_that_wakes_after_its_successor_has_appended_adds_nothing(
    cluster: Cluster, client: MilvusClient, point: str
) -> None:
    name = f"woken_{point.rpartition('.')[2]}"
    collection_id = create(client, name)
    pchannel = min(cluster.watched(client, name)).rpartition(f"_{collection_id}")[0]
    node = cluster.sequencers()[pchannel]
    number = int(node[-1])
    with Writer(cluster, name, proxies=(3 - number,)) as writer:
        writer.wait_for(SOME)
        cluster.arm(node, f"{point}:freeze")
        with cluster.frozen(node):
            wait_until(lambda: cluster.sequencers()[pchannel] != node, "a successor is named")
            writer.wait_for(SOME)
        wait_until(lambda: cluster.is_healthy(node), f"{node} is back")
        writer.wait_for(SOME)
    writer.flush_and_compare(3 - number)
    cluster.drop(name)


def test_a_client_of_a_frozen_proxy_gets_its_rows_in_exactly_once(
    cluster: Cluster, client: MilvusClient
) -> None:
    """Its batch was sent under a key and is repeated, through the other proxy as well."""
    name = "frozen_door"
    collection_id = create(client, name)
    pchannel = min(cluster.watched(client, name)).rpartition(f"_{collection_id}")[0]
    node = cluster.sequencers()[pchannel]
    number = int(node[-1])
    with Writer(cluster, name, proxies=(number, 3 - number)) as writer:
        writer.wait_for(SOME)
        cluster.arm(node, "sequencer.group.sending:freeze")
        with cluster.frozen(node):
            wait_until(lambda: node not in cluster.sequencers().values(), "the other takes over")
            writer.wait_for(SOME)
        writer.wait_for(SOME)
    writer.flush_and_compare(3 - number)
    cluster.drop(name)
