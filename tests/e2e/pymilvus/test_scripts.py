"""What a new user writes works, on both versions of pymilvus that are in use.

Each script in `scripts/` runs by itself: `python scripts/NAME.py http://127.0.0.1:19530`. Here all
of them run against one cluster, by pymilvus 3 and then by 2.6, and the rows that a script says it
has stored are looked up in the files. `make test` makes the environment of the older version.
"""

import dataclasses
import pickle
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.clients.rows_written import as_written
from support.clients.versions import CLIENTS
from support.processes.cluster import Cluster

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "scripts").glob("*.py"))
# Those with an event loop first, so that no process gets two: gRPC is made for one in a process.
IN_TURN = sorted(SCRIPTS, key=lambda path: "asyncio.run" not in path.read_text())
PROCESSES = 4  # most of their time is waiting
WITHIN_S = 120.0


@dataclasses.dataclass(frozen=True)
class Result:
    """How a script went, and what the files hold of the collections that it named."""

    error: str
    printed: str
    stored: dict[str, list[dict[str, Any]]]
    found: dict[str, pa.Table]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(Path(tmp_path_factory.mktemp("scripts")) / "data").start()
    started.wait_until_whole()
    yield started
    started.stop()


@pytest.fixture(scope="module", params=list(CLIENTS), ids=[f"pymilvus-{v}" for v in CLIENTS])
def results(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Result]:
    """Of every script, by name; one that did not come to its end is not there."""
    interpreter = CLIENTS[request.param]
    assert interpreter.exists(), f"{interpreter} is not there: `make test` makes it"
    assert version_of(interpreter).startswith(f"{request.param}.")
    out = tmp_path_factory.mktemp("results")
    running = [
        subprocess.Popen(
            [interpreter, HERE / "run_scripts.py", cluster.uri(), out, *IN_TURN[n::PROCESSES]]
        )
        for n in range(PROCESSES)
    ]
    try:
        assert [process.wait(WITHIN_S) for process in running] == [0] * PROCESSES
    finally:
        for process in running:
            process.kill()
    return {path.stem: result_of(path, cluster) for path in sorted(out.glob("*.pickle"))}


def version_of(interpreter: Path) -> str:
    """Of the pymilvus that it imports."""
    line = "from importlib.metadata import version; print(version('pymilvus'))"
    return subprocess.check_output([interpreter, "-c", line], text=True).strip()


def result_of(path: Path, cluster: Cluster) -> Result:
    """A script's result, with the tables as they are now: the next version makes them anew."""
    said = pickle.loads(path.read_bytes())
    stored = said["stored"]
    found = {} if said["error"] else {name: cluster.read(name) for name in stored}
    return Result(said["error"], said["printed"], stored, found)


@pytest.mark.parametrize("name", [path.stem for path in SCRIPTS])
def test_a_script_passes_and_its_rows_are_in_the_files(
    results: dict[str, Result], name: str
) -> None:
    result = results[name]
    assert not result.error, f"{result.error}\n{result.printed}"
    for collection, rows in result.stored.items():
        assert as_written(result.found[collection], rows) == []


@pytest.mark.parametrize("version", list(CLIENTS))
def test_a_script_runs_by_itself(cluster: Cluster, version: str) -> None:
    command = [CLIENTS[version], HERE / "scripts" / "quick_setup.py", cluster.uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
