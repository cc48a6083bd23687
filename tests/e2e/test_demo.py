"""The demo, small: it exits 0, says what happened, and leaves files that need no process."""

import json
import re
import subprocess
import sys

ROWS = 12_000
FIGURES = {
    "acknowledged",
    "expected",
    "stored",
    "lost",
    "duplicated",
    "kills",
    "failover_s",
    "insert_mb_s",
    "flush_s",
    "segments",
    "bytes",
}
STORY = (
    r"a cluster starts in",
    r"ready",
    r"distinct docstrings of Python 3",
    r"collection docstrings has 2 shards",
    r"data-node-\d watches \S+ \(epoch 1\)",
    r"data-node-\d is killed \(SIGKILL\) after [\d,]+ rows, with [\d.]+ MB that are not stored",
    r"data-node-\d watches \S+ \(epoch 2\)",
    r"data-node-\d has taken over \S+ after [\d.]+ s",
    r"data-node-3 starts",
    r"flushed in",
    r"all processes have ended; the files are read back",
    r"read them without Headrace: \S+read_with_duckdb\.sql",
    r"rows acknowledged \(insert and upsert\)",
    r"programs: read_with_duckdb\.sql",
    r"verified: every row exactly once",
)


def test_the_demo_verifies_every_row_and_tells_its_story(tmp_path):
    directory = tmp_path / "demo"
    command = [sys.executable, "-m", "headrace.cli.main", "demo", "--json", "--rows", str(ROWS)]
    done = subprocess.run(
        [*command, "--data-dir", str(directory)], capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout)  # one object and nothing else
    assert set(figures) >= FIGURES
    assert (figures["lost"], figures["duplicated"], figures["altered"]) == (0, 0, 0)
    assert figures["kills"] >= 1
    assert figures["stored"] == figures["expected"] < figures["acknowledged"]
    place = 0
    for line in STORY:
        found = re.compile(line).search(done.stderr, place)
        assert found, f"{line!r} is not said after {done.stderr[place - 80 : place]!r}"
        place = found.start()
    killed = re.search(r"after ([\d,]+) rows, with ([\d.]+) MB", done.stderr)
    assert killed is not None
    assert int(killed[1].replace(",", "")) < ROWS * 2 / 3
    assert float(killed[2]) > 0
    assert (directory / "store" / "manifests").is_dir()
    script = subprocess.run(
        [sys.executable, str(directory / "read_with_polars.py")], capture_output=True, text=True
    )
    assert script.stdout.split()[0] == str(figures["stored"]), script.stderr


def test_on_a_bucket_it_verifies_the_same_way_and_says_how_to_read_again(tmp_path):
    command = [sys.executable, "-m", "headrace.cli.main", "demo", "--json", "--rows", str(ROWS)]
    done = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "demo"), "--object-store", "s3"],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout)
    assert (figures["lost"], figures["duplicated"], figures["altered"]) == (0, 0, 0)
    assert figures["kills"] >= 1
    assert figures["stored"] == figures["expected"] < figures["acknowledged"]
    assert "an S3 server (SeaweedFS) starts" in done.stderr
    assert "files:    s3://headrace" in done.stderr
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in done.stderr
    assert done.stderr.rstrip().endswith("verified: every row exactly once")
