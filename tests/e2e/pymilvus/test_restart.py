"""A client lives across a full restart of the cluster: the same object goes on by itself."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from support.clients.versions import CLIENTS
from support.processes.command import Standalone
from support.processes.waiting import wait_until

HERE = Path(__file__).parent
PROGRAMS = (("3", "lives_on"), ("2.6", "lives_on"), ("3", "lives_on_async"))
AGAIN_S = 5.0  # from when the front door answers to the next acknowledged row


class Program:
    """One of `lives_on*.py`, by one version of pymilvus."""

    def __init__(self, version: str, name: str, uri: str, stop: Path) -> None:
        self.collection = f"{name}_{version.replace('.', '_')}"
        self.batches = 0  # acknowledged
        self.process = subprocess.Popen(
            [CLIENTS[version], HERE / f"{name}.py", uri, self.collection, stop],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.batches = int(line)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Standalone]:
    cluster = Standalone(tmp_path / "data", "--data-nodes", "1").start()
    yield cluster
    cluster.end()


def test_the_same_client_goes_on_after_a_restart_and_nothing_is_doubled(
    running: Standalone, tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    uri = f"http://127.0.0.1:{running.port}"
    programs = [Program(*program, uri, stop) for program in PROGRAMS]
    wait_until(lambda: all(p.batches > 5 for p in programs), "all write")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    before = [p.batches for p in programs]
    assert all(p.process.poll() is None for p in programs)
    running.start()
    wait_until(
        lambda: all(p.batches > n + 5 for p, n in zip(programs, before, strict=True)),
        "all write again",
        AGAIN_S,
    )
    stop.touch()
    assert [p.process.wait(30) for p in programs] == [0] * len(programs)
    for program in programs:
        table = running.read(program.collection)
        numbers = sorted(orjson.loads(text)["number"] for text in table["$meta"].to_pylist())
        assert numbers == list(range(10 * program.batches))
    assert running.stop() == 0
