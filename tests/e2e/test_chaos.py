"""Processes of all kinds die and freeze in an order drawn by lot while clients write, replace and
delete. In the end the files say what was acknowledged, and nothing else.
"""

import random
import threading
import time
from collections.abc import Iterator

import pytest
from support.clients.editor import Editor
from support.clients.writer import Writer, create
from support.processes.cluster import Cluster
from support.processes.waiting import wait_until

TROUBLE_S = 15.0
NODES = ("master-service-1", "data-service-1", "data-node-1", "data-node-2", "proxy-1", "proxy-2")
SERVERS = ("etcd", "nats")
SMALL = ("sequencer.segment_bytes_max=200000", "data_node.report_segments_most=2")


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("chaos") / "data"
    cluster = Cluster(directory, proxies=2, settings=SMALL).start()
    yield cluster
    cluster.stop()


def make_trouble(cluster: Cluster, seed: int) -> list[str]:
    """For some seconds; what was done. At the end nothing is frozen any more."""
    chance = random.Random(seed)
    done: list[str] = []
    pause = threading.Event()
    end = time.monotonic() + TROUBLE_S
    while time.monotonic() < end:
        pause.wait(chance.uniform(0.2, 2.0))
        name, freezes = chance.choice(NODES + SERVERS), chance.random() < 0.2
        frozen_s = chance.uniform(1.0, 7.0)
        if not cluster.is_running(name):
            continue
        if freezes:
            with cluster.paused(name):
                pause.wait(frozen_s)
        else:
            cluster.kill(name)
        done.append(f"{'freeze' if freezes else 'kill'} {name}")
    return done


@pytest.mark.parametrize("seed", [3])
def test_what_was_acknowledged_is_stored_whatever_dies(cluster: Cluster, seed: int) -> None:
    client = cluster.client()
    create(client, "written")
    create(client, "edited")
    client.close()
    with (
        Writer(cluster, "written", proxies=(1, 2)) as writer,
        Editor(cluster, "edited", seed=seed) as editor,
    ):
        wait_until(lambda: sum(editor.edits) > 50, "edits are acknowledged")
        done = make_trouble(cluster, seed)
        edits = sum(editor.edits)
        writer.wait_for(500, 60)
        wait_until(lambda: sum(editor.edits) > edits + 50, "edits are acknowledged again", 60)
    assert len(done) >= 5, done
    writer.flush_and_compare()
    editor.flush_and_compare()
    cluster.wait_until_whole()
