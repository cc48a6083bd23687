"""The journals of real processes: fetched from a running cluster, kept in files, replayed."""

from pathlib import Path

from support.clients.writer import create, rows_of
from support.processes.cluster import Cluster
from support.processes.command import run

MACHINES = {
    "master-service-1": "master-service",
    "data-service-1": "data-service",
    "data-node-1": "data-node",
    "proxy-1": "sequencer",
}


def test_the_journal_of_every_role_can_be_replayed(tmp_path: Path) -> None:
    settings = ("process.journal_steps=1000000",)
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
