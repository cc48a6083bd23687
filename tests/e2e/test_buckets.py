"""`headrace standalone` on a bucket: what is wrong is said at start, later trouble costs time."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from support.clients.writer import Writer, create
from support.processes.cluster import QUICK
from support.processes.command import Standalone, run
from support.processes.waiting import wait_until
from support.servers.s3 import S3Bucket, s3_bucket, s3_server, s3_trouble
from support.servers.s3_trouble import Trouble, TroubledS3

import headrace.reader
from headrace.app.servers.nats import free_port
from headrace.app.servers.s3 import READER, WRITER, S3Server

__all__ = ["s3_bucket", "s3_server", "s3_trouble"]  # fixtures

SAID_WITHIN_S = 10.0
BUDGET_BYTES = 2_000_000
SETTINGS = (*QUICK, f"data_node.budget_bytes={BUDGET_BYTES}", "objects.timeout_s=1")


class OnBucket(Standalone):
    """A standalone cluster whose files are in a bucket."""

    def __init__(self, directory: Path, bucket: S3Bucket, endpoint: str) -> None:
        flags = ["--object-store", bucket.uri, "--set", f"objects.endpoint={endpoint}"]
        flags += [word for setting in SETTINGS for word in ("--set", setting)]
        super().__init__(directory, *flags)
        self.bucket = bucket

    def read(self, collection: str) -> pa.Table:
        """What the files say, by the reader."""
        opened = headrace.reader.open(self.bucket.uri, collection, access=self.bucket.access)
        return opened.to_table()


@pytest.fixture
def cluster(
    tmp_path: Path,
    s3_bucket: S3Bucket,
    s3_trouble: TroubledS3,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[OnBucket]:
    key, secret = WRITER
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    made = OnBucket(tmp_path / "data", s3_bucket, s3_trouble.endpoint)
    yield made
    made.end()


def refusal(directory: Path, *words: str) -> str:
    """What standalone says and ends with, before it has made anything."""
    began = time.monotonic()
    done = run("standalone", "--data-dir", str(directory), *words)
    assert time.monotonic() - began < SAID_WITHIN_S
    assert done.returncode in {1, 2}
    assert not directory.exists()
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"secret_access_key": "wrong"}, "the secret access key is wrong: set objects.secret_acc"),
        ({"access_key_id": "nobody"}, "the access key id is unknown: set objects.access_key_id"),
        ({"access_key_id": READER[0], "secret_access_key": READER[1]}, "may not write there"),
        ({"uri": "s3://nothing-there/x"}, "there is no such bucket: create it, or name another"),
        ({"endpoint": f"http://127.0.0.1:{free_port()}"}, "(Connection refused); is objects.endp"),
        ({"endpoint": "127.0.0.1:9000"}, "setting objects.endpoint: endpoint is '127.0.0.1:9000'"),
    ],
    ids=["secret", "key", "read-only", "bucket", "away", "endpoint"],
)
def test_what_is_wrong_with_a_bucket_is_said_at_the_start(
    tmp_path: Path, s3_server: S3Server, given: dict[str, str], sentence: str
) -> None:
    key, secret = WRITER
    values = {"access_key_id": key, "secret_access_key": secret, "endpoint": s3_server.endpoint}
    values |= given
    uri = values.pop("uri", s3_server.uri)
    words = [w for name, v in values.items() for w in ("--set", f"objects.{name}={v}")]
    said = refusal(tmp_path / "data", "--object-store", uri, *words)
    assert sentence in said
    assert secret not in said


def test_a_role_says_the_same_and_ends_with_status_2(s3_server: S3Server) -> None:
    key, _ = WRITER
    values = {"uri": s3_server.uri, "endpoint": s3_server.endpoint, "access_key_id": key}
    values["secret_access_key"] = "wrong"
    words = [w for name, v in values.items() for w in ("--set", f"objects.{name}={v}")]
    for _ in range(3):  # an end while the client's threads run must not change the status
        done = run("serve", "data-node", *words)
        assert done.returncode == 2, done
        assert "the secret access key is wrong: set objects.secret_access_key" in done.stderr


def test_a_bucket_in_trouble_costs_time_only(
    cluster: OnBucket, s3_trouble: TroubledS3, s3_bucket: S3Bucket
) -> None:
    cluster.start()
    client = cluster.client()
    create(client, "rows")
    with Writer(cluster, "rows", batch=200) as writer:
        writer.wait_for(1000)
        for trouble in (
            Trouble(refused=True),
            Trouble(status=500),
            Trouble(status=507, code="XMinioStorageFull"),
            Trouble(swallowed=True),
            Trouble(unanswered=True),
            Trouble(flipped=True),
        ):
            with s3_trouble.trouble(trouble):
                writer.wait_for(2 * BUDGET_BYTES // 600)
                wait_until(lambda: put_failed(cluster), "inspect names the put that failed")
                assert max(used_bytes(cluster)) < 2 * BUDGET_BYTES
            writer.wait_for(500)
    writer.flush_and_compare()
    warned = [line for line in log_lines(cluster) if line.get("event") == "put failed"]
    assert warned
    reasons = {(line["process"], line.get("reason")) for line in warned}
    assert all("s3://headrace" in str(reason) or "put" in str(reason) for _, reason in reasons)
    assert len(warned) < 200  # once a sync, however often it was repeated
    check_secrets(cluster)
    counted = cluster.asked("scan", "rows", "--format", "count")
    assert counted == [str(len(writer.acknowledged))]
    client.close()
    assert cluster.stop() == 0


def put_failed(cluster: OnBucket) -> bool:
    return any("put failed" in line for line in cluster.asked("inspect", "checkpoints"))


def used_bytes(cluster: OnBucket) -> list[float]:
    """Of the data nodes' budgets."""
    found = []
    for node in ("data-node-1", "data-node-2"):
        text = fetch(f"{cluster.file.metrics[node]}/metrics")
        found += [
            float(line.split()[1])
            for line in text.splitlines()
            if line.startswith("headrace_datanode_used_bytes")
        ]
    assert len(found) == 2
    return found


def fetch(address: str) -> str:
    """A page of metrics."""
    with urllib.request.urlopen(address, timeout=5) as answer:
        return str(answer.read().decode())


def log_lines(cluster: OnBucket) -> list[dict[str, object]]:
    """Of the data nodes."""
    return [
        json.loads(line)
        for path in sorted(cluster.directory.glob("logs/data-node-*.log"))
        for line in path.read_text().splitlines()
    ]


def check_secrets(cluster: OnBucket) -> None:
    """They stand in no file of ours and in no argument of a process."""
    secret = WRITER[1]
    for path in [cluster.directory / "cluster.json", *cluster.directory.glob("logs/*")]:
        assert secret not in path.read_text(errors="replace"), path
    for process in cluster.family():
        assert secret not in " ".join(psutil.Process(process.pid).cmdline())
    assert secret not in run("config", "show").stdout
