"""`headrace ingest` against real processes: every format, killed, looked up, gone on with."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import orjson
import pyarrow as pa
import pytest
from pymilvus import DataType
from support.clients.raw import raw
from support.processes.cluster import Cluster
from support.processes.command import HEADRACE
from support.processes.ingesting import (
    DIM,
    counted,
    ingest,
    ingesting,
    journal_of,
    killed_after,
    lines_of,
    rows_of,
    write,
)
from support.processes.waiting import wait_until

from headrace.proxy.milvus import pb

WINDOW_S = 3
WINDOW = (WINDOW_S + 2) * 1000 << 18  # as a span of timestamps, and some more
KILLS = 5
INTERRUPTED = 130
IN_FLIGHT = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = (
        f"sequencer.window_keyed_s={WINDOW_S}",
        "sequencer.window_other_s=2",
        "sequencer.tick_idle_s=0.5",  # the window ends at the last timestamp of the log
    )
    cluster = Cluster(tmp_path_factory.mktemp("cluster") / "data", settings=settings).start()
    yield cluster
    cluster.stop()


def words_of(cluster: Cluster, path: Path, collection: str) -> tuple[str, ...]:
    """The command's words for a file into a collection that it makes."""
    directory = str(cluster.directory)
    made = ("--create",) if path.suffix == ".npy" else ("--create", "--key", "id")
    return (str(path), "--collection", collection, "--data-dir", directory, *made)


def stored(cluster: Cluster, collection: str) -> pa.Table:
    """The rows in the files, by key."""
    client = cluster.client()
    client.flush(collection)
    client.close()
    return cluster.read(collection).sort_by("id")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv", "npy"])
def test_a_file_of_every_format_is_stored(cluster: Cluster, tmp_path: Path, suffix: str) -> None:
    rows = rows_of(1200)
    path = write(rows, tmp_path / f"rows.{suffix}")
    done = ingest(*words_of(cluster, path, suffix), "--flush")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"1,200 rows of {path} stand in {suffix!r}\n")
    found = cluster.read(suffix).sort_by("id")
    assert found["id"].to_pylist() == rows["id"].to_pylist()
    assert found["vector"].to_pylist() == rows["vector"].to_pylist()
    if suffix != "npy":
        assert found["text"].to_pylist() == rows["text"].to_pylist()
        assert found["score"].to_pylist() == rows["score"].to_pylist()
        assert found["tags"].to_pylist() == rows["tags"].to_pylist()
        told = [orjson.loads(text) for text in found["about"].to_pylist()]
        assert told == rows["about"].to_pylist()
    again = ingest(*words_of(cluster, path, suffix))
    assert again.returncode == 0
    assert "was ingested before" in again.stderr
    assert len(stored(cluster, suffix)) == 1200


def test_what_comes_in_is_stored_and_a_repetition_doubles_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    text = write(rows_of(500), tmp_path / "rows.jsonl").read_bytes()
    words = words_of(cluster, Path("-"), "piped")
    for _ in range(2):
        done = subprocess.run(
            [*HEADRACE, "ingest", *words, "--journal", str(tmp_path)],
            input=text,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
    assert stored(cluster, "piped")["id"].to_pylist() == list(range(500))


def test_killed_again_and_again_each_row_stands_once(cluster: Cluster, tmp_path: Path) -> None:
    rows = rows_of(30_000, dim=768)
    path = write(rows, tmp_path / "rows.parquet")
    words = words_of(cluster, path, "killed")
    journal = journal_of(path, "killed")
    killed = sum(killed_after(journal, 3, *words) for _ in range(KILLS))
    assert killed == KILLS
    done = ingest(*words)
    assert done.returncode == 0, done.stderr
    found = stored(cluster, "killed")
    assert found["id"].to_pylist() == rows["id"].to_pylist()
    vectors = np.asarray(found["vector"].combine_chunks().flatten())
    assert np.array_equal(vectors, np.asarray(rows["vector"].combine_chunks().flatten()))


def test_the_death_of_a_proxy_is_waited_for_and_doubles_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    rows = rows_of(14_000, dim=768)
    path = write(rows, tmp_path / "rows.parquet")
    words = words_of(cluster, path, "outlived")
    journal = journal_of(path, "outlived")
    port = cluster.standalone.front_doors[0]
    with ingesting(*words) as process:
        wait_until(lambda: counted(journal, "done") >= 3, "some batches stand", pause_s=0.002)
        cluster.kill("proxy-1")
        wait_until(lambda: process.poll() is not None, "it has ended")
        assert process.returncode == 0
    assert cluster.standalone.front_doors[0] == port
    cluster.wait_until_whole()
    assert stored(cluster, "outlived")["id"].to_pylist() == rows["id"].to_pylist()


def test_ctrl_c_stops_it_in_order_and_it_says_how_to_go_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    rows = rows_of(20_000, dim=768)
    path = write(rows, tmp_path / "rows.parquet")
    words = words_of(cluster, path, "stopped")
    journal = journal_of(path, "stopped")
    with subprocess.Popen(
        [*HEADRACE, "ingest", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: counted(journal, "done") >= 2, "some batches stand", pause_s=0.002)
        process.send_signal(signal.SIGINT)
        said, told = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert re.match(r"stopped: [\d,]+ rows of .*; the same command goes on from there", said)
    assert "Traceback" not in told
    assert unanswered(journal) == 0
    assert ingest(*words).returncode == 0
    assert stored(cluster, "stopped")["id"].to_pylist() == rows["id"].to_pylist()


def test_rows_into_made_keys_are_looked_up_by_a_column_that_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    client = cluster.client()
    schema = client.create_schema(auto_id=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("text", DataType.VARCHAR, max_length=50)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIM)
    client.create_collection("made", schema=schema)
    client.close()
    path = write(rows_of(2000).select(["text", "vector"]), tmp_path / "rows.parquet")
    words = (str(path), "--collection", "made", "--data-dir", str(cluster.directory))
    done = ingest(*words)
    assert done.returncode == 0, done.stderr
    assert "for 10 minutes only, unless --key-column" in done.stderr
    journal = journal_of(path, "made")
    forget(journal)
    wait_until(lambda: now(cluster) > last_sent(journal) + WINDOW, "it is late")
    asked = ingest(*words)
    assert asked.returncode == 2
    assert "with --key-column" in asked.stderr
    done = ingest(*words, "--key-column", "text")
    assert done.returncode == 0, done.stderr
    assert "2,000 of them stand, 0 do not" in done.stderr
    texts = stored(cluster, "made")["text"].to_pylist()
    assert sorted(texts) == sorted(f"row {i}" for i in range(2000))


def test_rows_sent_long_ago_are_looked_up_and_only_absent_ones_are_sent_anew(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Killed while the proxy has batches that it will never answer."""
    rows = rows_of(12_000, dim=768)
    path = write(rows, tmp_path / "rows.parquet")
    words = words_of(cluster, path, "late")
    journal = journal_of(path, "late")
    with ingesting(*words) as process:
        wait_until(lambda: counted(journal, "done") >= 3, "some batches stand", pause_s=0.002)
        with cluster.paused("proxy-1"):
            wait_until(lambda: unanswered(journal) >= IN_FLIGHT, "others are on their way")
            process.kill()
            cluster.kill("proxy-1")
    forget(journal)
    cluster.wait_until_whole()
    wait_until(lambda: now(cluster) > last_sent(journal) + WINDOW, "it is late")
    done = ingest(*words)
    assert done.returncode == 0, done.stderr
    told = re.findall(r"([\d,]+) of them stand, ([\d,]+) do not", done.stderr)
    assert [stand for stand, absent in told if absent == "0"], done.stderr
    assert [absent for stand, absent in told if absent != "0"], done.stderr
    assert stored(cluster, "late")["id"].to_pylist() == rows["id"].to_pylist()


def unanswered(journal: Path) -> int:
    """How many batches are written down and not acknowledged."""
    return counted(journal, "batch") - counted(journal, "done")


def last_sent(journal: Path) -> int:
    """The timestamp under which the youngest batch was first sent."""
    return max(int(str(line.get("first_sent", 0))) for line in lines_of(journal))


def now(cluster: Cluster) -> int:
    """A timestamp that the cluster gives out now."""
    with grpc.insecure_channel(cluster.standalone.front_doors[0]) as channel:
        return int(raw(channel, "AllocTimestamp", pb.AllocTimestampRequest()).timestamp)


def forget(journal: Path) -> None:
    """Take the acknowledgements out of a journal, as if they had been lost."""
    kept = [line for line in lines_of(journal) if not line.keys() & {"done", "finished"}]
    journal.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in kept))
