"""A cluster of real processes for end-to-end tests: started, looked at, killed at named places.

**Owns** one `Standalone` on a loop of its own, and what tests ask of it. **Does not own** rows and
their comparison (`support.rows_in`) or the command line (`support.processes.command`).

A test arms a crash point in a running process (`arm`), so that the process dies at the moment that
the test means and its successor under the same node name goes on. The loop's thread lives as long
as the run: the kernel ends children when the thread that started them ends.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pyarrow as pa
from pymilvus import MilvusClient

import headrace.reader
from headrace.app.observe import Seen, look
from headrace.app.process.crash import VARIABLE
from headrace.app.servers import child
from headrace.app.settings import EtcdSettings
from headrace.app.standalone import Standalone, StandaloneOptions
from headrace.meta.records import Role, SessionState
from support.processes.waiting import wait_until
from support.servers.s3 import S3Bucket

T = TypeVar("T")

CONNECT_S = 3.0  # then it tries with a new connection, which does not wait first
NODES = (
    "master-service-1",
    "data-service-1",
    *(f"data-node-{n}" for n in range(1, 5)),
    *(f"proxy-{n}" for n in range(1, 4)),
)
# Small enough that a test of some seconds sees syncs, Seals and lists.
QUICK = (
    "data_node.sync_bytes=200000",
    "data_node.sync_age_s=1",
    "data_service.manifest_interval_s=1",
    "data_service.poll_s=0.2",
    "data_service.settle_s=0.2",
)

_loop: asyncio.AbstractEventLoop | None = None


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    if _loop is None:
        _loop = asyncio.new_event_loop()
        threading.Thread(target=_loop.run_forever, name="clusters", daemon=True).start()
    return _loop


def quiet_client(uri: str) -> MilvusClient:
    """An ordinary client that does not print every trouble which it raises as well."""
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return MilvusClient(uri, timeout=CONNECT_S)


class Cluster:
    """A cluster in `directory`, from `start` to `stop`. `said` has what the supervisor told."""

    def __init__(
        self,
        directory: Path,
        *,
        data_nodes: int = 2,
        proxies: int = 1,
        settings: tuple[str, ...] = (),
        restart_data_nodes: bool = True,
        bucket: S3Bucket | None = None,
    ) -> None:
        self.directory = directory
        self._access = None if bucket is None else bucket.access
        self.said: list[str] = []
        child.STEADY_S = 1.0  # tests kill more often than life does, and do not mean the backoff
        armed = directory.with_name(directory.name + "-crash")
        armed.mkdir(exist_ok=True)
        self._armed = {name: armed / name for name in NODES}
        self.standalone = Standalone(
            StandaloneOptions(
                data_dir=directory,
                port=0,
                data_nodes=data_nodes,
                proxies=proxies,
                object_store="" if bucket is None else bucket.uri,
                settings=(*QUICK, *settings, *(() if bucket is None else bucket.settings)),
                restart_data_nodes=restart_data_nodes,
                environment=tuple(
                    (name, ((VARIABLE, f"@{path}"),)) for name, path in self._armed.items()
                ),
            ),
            self.said.append,
        )

    # ---- life --------------------------------------------------------------------------------

    def start(self) -> "Cluster":
        """Returns when the front doors answer."""
        self._call(self.standalone.start())
        return self

    def stop(self) -> None:
        """In order; what was frozen goes on first."""
        self._call(self.standalone.stop())

    def add_data_node(self, name: str) -> None:
        """One more."""
        self._call(self.standalone.start_role(Role.DATA_NODE, name))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, _running_loop()).result()

    # ---- clients -----------------------------------------------------------------------------

    def uri(self, proxy: int = 1) -> str:
        """Of a proxy's front door."""
        return f"http://{self.standalone.front_doors[proxy - 1]}"

    def client(self, proxy: int = 1) -> MilvusClient:
        """An ordinary client of this proxy."""
        return quiet_client(self.uri(proxy))

    def read(self, collection: str) -> pa.Table:
        """What the files say, by the reader."""
        return self.snapshot(collection).to_table()

    def snapshot(self, collection: str) -> headrace.reader.Snapshot:
        """The newest one."""
        uri = self.standalone.store_uri
        return headrace.reader.open(uri, collection, access=self._access)

    def drop(self, collection: str) -> None:
        """Once the cluster is whole again, so that the next test finds it so."""
        self.wait_until_whole()
        client = self.client()
        client.drop_collection(collection)
        client.close()

    # ---- what it says of itself --------------------------------------------------------------

    def look(self, topic: str = "", role: Role | None = None) -> list[Seen]:
        """The answers of its processes."""
        etcd = self.standalone.etcd
        assert etcd is not None
        return self._call(look(EtcdSettings(endpoints=(etcd.endpoint,)), topic, role))

    def watchers(self, collection_id: int) -> dict[str, str]:
        """vchannel -> the node that watches it and says that it runs."""
        found = {}
        for one in self.look("channels", Role.DATA_SERVICE):
            for row in one.details.get("channels", ()):
                if f"_{collection_id}v" in row["vchannel"] and row["state"] == "running":
                    found[row["vchannel"]] = row["node"]
        return found

    def watched(self, client: MilvusClient, collection: str) -> dict[str, str]:
        """The same, once every vchannel of the collection is watched."""
        told = client.describe_collection(collection)
        return wait_until(
            lambda: (
                found
                if len(found := self.watchers(told["collection_id"])) == told["num_shards"]
                else None
            ),
            f"all vchannels of {collection} are watched",
        )

    def sequencers(self) -> dict[str, str]:
        """pchannel -> the proxy that is wanted as its sequencer."""
        return {
            row["pchannel"]: row["proxy"]
            for one in self.look("channels", Role.MASTER_SERVICE)
            for row in one.details.get("sequencers", ())
        }

    def is_healthy(self, node: str) -> bool:
        """Whether it has a session and says that it is healthy."""
        return node in self._healthy()

    def _healthy(self) -> set[str]:
        seen = self.look()
        return {one.session.node_name for one in seen if one.state == SessionState.HEALTHY}

    def wait_until_whole(self) -> None:
        """Every child runs and is healthy, and each proxy sequences something."""
        names = set(self.standalone.children)
        proxies = {name for name in names if name.startswith("proxy")}

        wait_until(
            lambda: names == self._healthy() and proxies <= set(self.sequencers().values()),
            f"{', '.join(sorted(names))} are healthy",
        )

    # ---- trouble -----------------------------------------------------------------------------

    def pid(self, node: str) -> int:
        """Of its present process."""
        return wait_until(lambda: self._pid(node), f"{node} runs")

    def is_running(self, node: str) -> bool:
        """Whether it has a process now."""
        return self._pid(node) is not None

    def _pid(self, node: str) -> int | None:
        servers = {"etcd": self.standalone.etcd, "nats": self.standalone.nats}
        server = servers.get(node)
        return server.pid if server is not None else self.standalone.pid_of(node)

    def kill(self, node: str) -> None:
        """SIGKILL now."""
        os.kill(self.pid(node), signal.SIGKILL)

    def arm(self, node: str, point: str) -> None:
        """Let the node's process do at this place what `NAME[:TIMES][:kill|freeze]` says."""
        path = self._armed[node]
        written = path.with_suffix(".new")
        written.write_text(point)
        written.replace(path)

    def is_armed(self, node: str) -> bool:
        """Whether the place was not reached yet."""
        return self._armed[node].exists()

    @contextmanager
    def dying(self, node: str, point: str) -> Iterator[None]:
        """Arm; at the end of the block wait until the node was killed there and started anew."""
        before = self.standalone.children[node].starts
        self.arm(node, point)
        yield
        wait_until(lambda: not self.is_armed(node), f"{node} reaches {point}")
        wait_until(
            lambda: self.standalone.children[node].starts > before, f"{node} is started anew"
        )

    @contextmanager
    def frozen(self, node: str) -> Iterator[None]:
        """Wait until the node has frozen at the place armed; it goes on after the block."""
        pid = self.pid(node)
        wait_until(lambda: is_frozen(pid), f"{node} freezes")
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def paused(self, node: str) -> Iterator[None]:
        """SIGSTOP for the length of the block."""
        process = psutil.Process(self.pid(node))
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def lines(self, *words: str) -> list[str]:
        """What the supervisor said with all these words."""
        return [line for line in self.said if all(word in line for word in words)]


def is_frozen(pid: int) -> bool:
    """Whether every thread of the process stands still."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return bool(stats) and all(s.rpartition(")")[2].split()[0] == "T" for s in stats)
