"""Every role, killed with SIGKILL at a named place while rows stream in: each row exactly once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pymilvus import MilvusClient
from support.clients.writer import Writer, create, rows_of
from support.processes.cluster import Cluster

SOME = 600  # rows before, and after, a kill


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("crash") / "data", proxies=2).start()
    yield cluster
    cluster.stop()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[MilvusClient]:
    """Of a cluster that has recovered from what came before."""
    cluster.wait_until_whole()
    client = cluster.client()
    yield client
    client.close()


@pytest.mark.parametrize(
    "point", ["datanode.put.begins", "datanode.put.stands", "datanode.report.stands"]
)
def test_rows_outlive_a_data_node(cluster: Cluster, client: MilvusClient, point: str) -> None:
    name = point.replace(".", "_")
    create(client, name)
    with Writer(cluster, name, proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
        node = min(cluster.watched(client, name).values())
        with cluster.dying(node, f"{point}:2"):
            pass
        writer.wait_for(SOME)
    writer.flush_and_compare()
    assert cluster.lines(node, "ended (signal 9); restarting it")
    cluster.drop(name)


@pytest.mark.parametrize(
    "point",
    ["sequencer.group.sending", "sequencer.group.stands", "sequencer.part.answered"],
)
def test_rows_outlive_a_sequencer(cluster: Cluster, client: MilvusClient, point: str) -> None:
    """Among them a request of which one part was answered and the other not yet sent."""
    name = point.replace(".", "_")
    create(client, name)
    with Writer(cluster, name, proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
        with cluster.dying(_sequencer(cluster, client, name), f"{point}:20"):
            pass
        writer.wait_for(SOME)
    writer.flush_and_compare()
    cluster.drop(name)


def test_rows_outlive_a_sequencer_that_has_just_begun_its_term(
    cluster: Cluster, client: MilvusClient
) -> None:
    """The first successor dies right after its TermStart, before it has read what stands."""
    name = "term_start"
    create(client, name)
    with Writer(cluster, name, proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
        first = _sequencer(cluster, client, name)
        second = next(n for n in ("proxy-1", "proxy-2") if n != first)
        with cluster.dying(second, "sequencer.term-start.stands"):
            cluster.kill(first)
        writer.wait_for(SOME)
    writer.flush_and_compare()
    cluster.drop(name)


def _sequencer(cluster: Cluster, client: MilvusClient, collection: str) -> str:
    """The proxy that sequences the collection's first shard."""
    vchannel = client.describe_collection(collection)["collection_id"]
    watched = cluster.watched(client, collection)
    first = min(v for v in watched if v.endswith(f"_{vchannel}v0"))
    return cluster.sequencers()[first.rpartition("_")[0]]


@pytest.mark.parametrize("point", ["dataservice.report.committed", "dataservice.manifest.derived"])
def test_rows_outlive_a_data_service(cluster: Cluster, client: MilvusClient, point: str) -> None:
    """A report that is committed and not answered; a list whose files stand and that does not."""
    name = point.replace(".", "_")
    create(client, name)
    with Writer(cluster, name, proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
        cluster.watched(client, name)
        with cluster.dying("data-service-1", f"{point}:2"):
            pass
        writer.wait_for(SOME)
    writer.flush_and_compare()
    cluster.drop(name)


def test_a_flush_is_done_only_when_its_list_is_stored(
    cluster: Cluster, client: MilvusClient
) -> None:
    name = "flushed_late"
    create(client, name)
    with Writer(cluster, name) as writer:
        writer.wait_for(SOME)
    with cluster.dying("data-service-1", "dataservice.manifest.derived"):
        writer.flush_and_compare()
    cluster.drop(name)


@pytest.mark.parametrize("point", ["masterservice.ddl.recorded", "masterservice.ddl.noted"])
def test_a_ddl_outlives_its_master_service(
    cluster: Cluster, client: MilvusClient, point: str
) -> None:
    """Create, rename and drop are carried to their end by the next one; the client only waits."""
    name = point.replace(".", "_")
    with cluster.dying("master-service-1", point):
        create(client, name)
    with Writer(cluster, name, proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
    with cluster.dying("master-service-1", point):
        client.rename_collection(name, f"{name}_renamed")
    writer.collection = f"{name}_renamed"
    client.insert(writer.collection, rows_of(range(1_000_000, 1_000_010)))
    writer.acknowledged.update(range(1_000_000, 1_000_010))
    writer.flush_and_compare()
    assert not client.has_collection(name)
    with cluster.dying("master-service-1", point):
        client.drop_collection(writer.collection)
    assert not client.has_collection(writer.collection)
    create(client, writer.collection)
    client.insert(writer.collection, rows_of(range(5)))
    writer.acknowledged = set(range(5))
    writer.flush_and_compare()
    cluster.drop(writer.collection)


def test_two_clients_that_create_during_a_death_get_one_collection(
    cluster: Cluster, client: MilvusClient
) -> None:
    name = "created_twice"
    with cluster.dying("master-service-1", "masterservice.ddl.recorded"):
        others = [client, cluster.client(2)]
        with ThreadPoolExecutor(2) as pool:
            ids = list(pool.map(lambda c: create(c, name), others))
    assert ids[0] == ids[1]
    with Writer(cluster, name, proxies=(1, 2)) as writer:
        writer.wait_for(SOME)
    writer.flush_and_compare()
    cluster.drop(name)
