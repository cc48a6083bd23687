"""The `headrace` command as a person uses it: its output, its exit status, a cluster that it runs.

**Owns** processes of the command and what they print. **Does not own** what their clients write
(`support.clients.writer`).
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pyarrow as pa
from pymilvus import MilvusClient

import headrace.reader
from headrace.app import clusterfile
from headrace.app.clusterfile import ClusterFile
from headrace.app.servers.nats import free_port
from support.processes.cluster import quiet_client
from support.processes.waiting import wait_until

HEADRACE = (sys.executable, "-m", "headrace.cli.main")


def run(*words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run([*HEADRACE, *words], capture_output=True, text=True, timeout=timeout_s)


class Standalone:
    """`headrace standalone` in a directory, started anew as often as wanted."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.directory = directory
        self.flags = flags
        self.port = free_port()
        self.began = 0.0  # when it was started last, monotonic seconds
        self.said: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._family: list[psutil.Process] = []

    # ---- life --------------------------------------------------------------------------------

    def begin(self) -> "Standalone":
        """Start it and return at once."""
        words = ("standalone", "--data-dir", str(self.directory), "--port", str(self.port))
        self.said.clear()
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [*HEADRACE, *words, *self.flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        return self

    def start(self, within_s: float = 60.0) -> "Standalone":
        """Start it and return when it says that it is ready."""
        self.begin()
        wait_until(
            lambda: self.has_said("ready: ") or self.status is not None,
            lambda: f"ready; it said {self.said}",
            within_s,
        )
        assert self.status is None, self.said
        return self

    def has_said(self, words: str) -> bool:
        """Whether a line with these words was printed."""
        return any(words in line for line in self.said)

    @property
    def supervisor(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def signal(self, number: int) -> None:
        """To the supervisor alone."""
        assert self._process is not None
        self._family = self.family()
        self._process.send_signal(number)

    def kill_all(self) -> None:
        """SIGKILL to the supervisor and everything that it started, none of which can react."""
        assert self._process is not None
        self._family = self.family()
        for process in self._family:
            process.suspend()
        for process in self._family:
            process.kill()

    def family(self) -> list[psutil.Process]:
        """The supervisor and its children."""
        assert self._process is not None
        try:
            supervisor = psutil.Process(self._process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def wait(self, within_s: float = 40.0) -> int:
        """The exit status once it has ended."""
        assert self._process is not None
        return self._process.wait(within_s)

    def wait_for_children(self, within_s: float = 30.0) -> None:
        """Return when no process that it had started is left."""
        _, alive = psutil.wait_procs(self._family, within_s)
        assert not alive, alive

    def stop(self) -> int:
        """As Ctrl-C does; the exit status."""
        if self.status is None:
            self.signal(signal.SIGINT)
        return self.wait()

    def end(self) -> None:
        """Whatever is left of it, by force (the end of a test)."""
        for process in (*self._family, *self.family()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line.rstrip("\n"))

    # ---- what tests ask of it ----------------------------------------------------------------

    @property
    def file(self) -> ClusterFile:
        """`cluster.json`."""
        return clusterfile.read(self.directory)

    def pid(self, node: str) -> int:
        """Of the child that serves under this node name, or of etcd or nats."""
        mark = {"etcd": "/etcd", "nats": "nats.conf"}.get(node, f"process.node_name={node}")
        found: list[int] = []
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                if (
                    any(mark in word for word in process.cmdline())
                    and process.ppid() != os.getpid()
                ):
                    found.append(process.pid)
        assert len(found) <= 1, (node, found)
        return found[0] if found else 0

    def client(self, proxy: int = 1) -> MilvusClient:
        """An ordinary client of this proxy."""
        return quiet_client(f"http://{self.file.front_doors[proxy - 1]}")

    def read(self, collection: str) -> pa.Table:
        """What the files say, by the reader."""
        return headrace.reader.open(str(self.directory / "store"), collection).to_table()

    def asked(self, *words: str) -> Sequence[str]:
        """The lines that the command prints about this cluster; it must succeed."""
        done = run(*words, "--data-dir", str(self.directory))
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
