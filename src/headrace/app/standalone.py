"""The supervisor of a standalone cluster: real servers and one process per role, on this machine.

It starts and stops them in order, chooses ports, writes `cluster.json`, and restarts what dies. It
prints only what the user needs to know; everything else is in `DIR/logs`.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO
from urllib.parse import quote

from headrace.app import clusterfile
from headrace.app.clusterfile import ClusterFile
from headrace.app.edges import etcd_of, open_objects
from headrace.app.ownership import own_store
from headrace.app.servers import nats_disk
from headrace.app.servers.child import Child, ChildSpec, http_answer
from headrace.app.servers.etcd import EtcdServer
from headrace.app.servers.nats import NatsServer, free_port
from headrace.app.settings import ObjectSettings, Settings, load, without_secrets
from headrace.meta.keys import Keys
from headrace.meta.records import Role
from headrace.model.errors import HeadraceError, Invalid, Unavailable
from headrace.objects.s3_access import S3Access, endpoint_of, region_of
from headrace.runtime.host import real_host
from headrace.runtime.race import race
from headrace.runtime.retry import retry
from headrace.runtime.supervise import TaskGroup

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
ORPHANS_TIMEOUT_S = 30.0  # children of a supervisor that died end within their own stop timeouts
POLL_S = 0.05
ASK_TIMEOUT_S = 1.0
STARTS_MOST = 3  # of one role before the cluster is ready
REFUSED = 2  # the exit status of a role that refuses its settings or its surroundings
_CHOSEN = "it is chosen by `headrace standalone`"
OWN_SETTINGS = {
    "process.node_name": _CHOSEN,
    "process.log_dir": f"{_CHOSEN}: DIR/logs",
    "process.metrics_port": f"{_CHOSEN}: see DIR/cluster.json",
    "etcd.endpoints": f"{_CHOSEN}: see DIR/cluster.json",
    "log.servers": f"{_CHOSEN}: see DIR/cluster.json",
    "log.monitor_url": f"{_CHOSEN}: see DIR/cluster.json",
    "log.store_dir": f"{_CHOSEN}: DIR/nats",
    "objects.uri": "use --object-store",
    "proxy.port": "use --port",
}
STOPS_WANTED = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneOptions:
    """What `headrace standalone` was asked for."""

    data_dir: Path
    port: int = 19530  # 0: any free one
    data_nodes: int = 2
    proxies: int = 1
    object_store: str = ""  # empty: DIR/store
    config: Path | None = None
    settings: tuple[str, ...] = ()  # as `--set` takes them
    restart_data_nodes: bool = True  # the demo kills one and wants it to stay dead
    environment: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()  # node -> variables


class Standalone:
    """A cluster on this machine, from `start` to `stop`."""

    def __init__(self, options: StandaloneOptions, say: Callable[[str], None]) -> None:
        self.options = options
        self.directory = options.data_dir.absolute()
        self.logs = self.directory / "logs"
        self.children: dict[str, Child] = {}
        self.front_doors: list[str] = []
        self._say = say
        self._lock: IO[str] | None = None
        self._metrics: dict[str, str] = {}
        self._is_ready = False
        self._access = S3Access()
        self._mending: asyncio.Task[None] | None = None
        etcd, nats = self.directory / "etcd", self.directory / "nats"
        self.etcd = EtcdServer(etcd, log_path=self.logs / "etcd.log", restart=True, on_change=say)
        self.nats = NatsServer(nats, log_path=self.logs / "nats.log", restart=True, on_change=say)

    @property
    def store_uri(self) -> str:
        return self.options.object_store or f"file://{quote(str(self.directory / 'store'))}"

    @property
    def _is_bucket(self) -> bool:
        return self.store_uri.startswith("s3://")

    # ---- start -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything; return when the front doors answer. `Invalid` says what is wrong."""
        # Wrong settings end here, not in children.
        settings = load(self.options.config, self.options.settings)
        self._refuse_own_settings()
        if self.options.object_store:
            await self._prove_store(settings.objects)
        self._lock = await self._claim()
        try:
            ports = self._front_door_ports()  # after the claim: orphans have left theirs
            if not self.options.object_store:
                (self.directory / "store").mkdir(exist_ok=True)
            await self._start_servers()
            await self._own_store(settings)
            room_bytes = settings.sequencer.log_free_bytes_min
            self._mending = asyncio.create_task(nats_disk.mend(self.nats, room_bytes, self._say))
            self.front_doors = [f"127.0.0.1:{port}" for port in ports]
            await self.start_role(Role.MASTER_SERVICE, "master-service-1")
            await self.start_role(Role.DATA_SERVICE, "data-service-1")
            for n in range(1, self.options.data_nodes + 1):
                await self.start_role(Role.DATA_NODE, f"data-node-{n}")
            for n, port in enumerate(ports, 1):
                await self.start_role(Role.PROXY, f"proxy-{n}", (f"proxy.port={port}",))
            self._write_file()
            await self._wait_until_ready()
            self._is_ready = True
            for child in self.children.values():  # from now on its surroundings may come back
                child.final = None
        except BaseException:
            await self.stop()
            raise

    async def _prove_store(self, settings: ObjectSettings) -> None:
        """Its trouble is said before anything is started: each role would only wait for it."""
        self._access = settings.access()
        store = open_objects(replace(settings, uri=self.store_uri), real_host())
        try:
            await store.check()
        finally:
            await store.close()

    async def _own_store(self, settings: Settings) -> None:
        """That it is not this cluster's is said before `cluster.json` names it."""
        host = real_host()
        meta = etcd_of(replace(settings.etcd, endpoints=(self.etcd.endpoint,)), host)
        store = open_objects(replace(settings.objects, uri=self.store_uri), host)
        try:
            keys = Keys(settings.etcd.root)
            await retry(lambda: own_store(meta, keys, store, host), host)
        finally:
            await store.close()
            await meta.close()

    def _refuse_own_settings(self) -> None:
        for flag in self.options.settings:
            name = flag.partition("=")[0].strip()
            if name in OWN_SETTINGS:
                raise Invalid(f"--set {name}: {OWN_SETTINGS[name]}", field=name)

    async def _claim(self) -> IO[str]:
        """The lock on the directory, once no child of a supervisor that died holds it."""
        said = False
        try:
            async with asyncio.timeout(ORPHANS_TIMEOUT_S):
                while True:
                    try:
                        return clusterfile.claim(self.directory)
                    except Unavailable as error:
                        reason = error.message
                    if not said:
                        self._say(f"{reason}; waiting for their end")
                        said = True
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise Invalid(
                f"{reason}; they do not end: end those that hold {self.directory / 'lock'} open"
            ) from None

    def _front_door_ports(self) -> list[int]:
        first, count = self.options.port, self.options.proxies
        if first == 0:
            return [free_port() for _ in range(count)]
        ports = list(range(first, first + count))
        if ports[-1] >= 1 << 16:
            raise Invalid(f"{count} proxies from port {first} on need ports above 65535")
        for port in ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise Invalid(
                        f"port {port} is in use; stop what listens there, or choose another "
                        "with --port",
                        field="port",
                    ) from error
        return ports

    async def _start_servers(self) -> None:
        self.nats.holds = self.etcd.holds = self._holds
        async with TaskGroup("servers") as group:  # where one cannot start, neither goes on
            group.spawn("nats", self.nats.start())
            group.spawn("etcd", self.etcd.start())

    @property
    def _holds(self) -> tuple[int, ...]:
        """What each child keeps open: the lock on the directory."""
        assert self._lock is not None
        return (self._lock.fileno(),)

    async def start_role(self, role: Role, name: str, settings: Sequence[str] = ()) -> Child:
        """Start one more process of a role under a node name."""
        metrics_port = free_port()
        self._metrics[name] = f"http://127.0.0.1:{metrics_port}"
        shown, hidden = without_secrets(self.options.settings)
        given = [
            *shown,
            f"process.node_name={name}",
            f"process.log_dir={self.logs}",
            f"process.metrics_port={metrics_port}",
            f'etcd.endpoints=["{self.etcd.endpoint}"]',
            f'log.servers=["{self.nats.url}"]',
            f"log.monitor_url={self.nats.monitor_url}",
            f"log.store_dir={self.nats.store_dir}",
            f"objects.uri={self.store_uri}",
            *settings,
        ]
        command = [sys.executable, "-m", "headrace.cli.main", "serve", role.value]
        for item in given:
            command += ["--set", item]
        if self.options.config is not None:
            command += ["--config", str(self.options.config)]
        restart = role is not Role.DATA_NODE or self.options.restart_data_nodes
        child = Child(
            ChildSpec(
                name=name,
                command=command,
                log_path=self.logs / f"{name}.out",
                environment={
                    "HEADRACE_CHILD": "1",
                    **hidden,
                    **dict(dict(self.options.environment).get(name, ())),
                },
                restart=restart,
                holds=self._holds,
                # The servers end with us: a clean stop could store nothing, only take its time.
                orphaned=signal.SIGKILL,
            ),
            self._say,
        )
        self.children[name] = child
        child.final = None if self._is_ready else REFUSED
        await child.start()
        if self._is_ready:
            self._write_file()
        return child

    def _write_file(self) -> None:
        clusterfile.write(
            self.directory,
            ClusterFile(
                supervisor_pid=os.getpid(),
                etcd=self.etcd.endpoint,
                nats=self.nats.url,
                nats_monitor=self.nats.monitor_url,
                store=self.store_uri,
                store_endpoint=endpoint_of(self._access) if self._is_bucket else "",
                store_region=region_of(self._access) if self._is_bucket else "",
                front_doors=tuple(self.front_doors),
                metrics=dict(self._metrics),
            ),
        )

    async def _wait_until_ready(self) -> None:
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while not all([await self._healthy(name) for name in self._metrics]):
                    self._fail_if_ended()
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            late = [n for n in self._metrics if not await self._healthy(n)]
            raise Unavailable(
                f"not ready after {READY_TIMEOUT_S:.0f} s: {', '.join(late)}; see {self.logs}"
            ) from error

    def _fail_if_ended(self) -> None:
        """A role that refuses its settings is not started again and again while we wait."""
        for name, child in self.children.items():
            refused = child.pid is None and child.ended == REFUSED
            if not refused and child.starts <= STARTS_MOST:
                continue
            said = child.spec.log_path.read_text(errors="replace").strip().split("\n")[-1]
            said = said.removeprefix("headrace: ")
            if refused:
                raise Invalid(f"{name} refuses to start: {said}")
            raise Unavailable(f"{name} does not start: {said}; see {self.logs}")

    async def _healthy(self, name: str) -> bool:
        host, _, port = self._metrics[name].removeprefix("http://").rpartition(":")
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                answer = await http_answer(host, int(port), "GET /healthz")
        except TimeoutError:
            return False
        return b" 200 " in answer.partition(b"\n")[0]

    # ---- life and end --------------------------------------------------------------------------

    def pid_of(self, name: str) -> int | None:
        return self.children[name].pid

    def kill(self, name: str) -> None:
        self.children[name].signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop in the order in which rows travel, then the servers; nothing is lost."""
        for prefix in ("proxy", "data-node", "data-service", "master-service"):
            group = [c for n, c in self.children.items() if n.startswith(prefix)]
            await asyncio.gather(*(child.stop(STOP_TIMEOUT_S) for child in group))
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
        await asyncio.gather(self.nats.stop(), self.etcd.stop())
        if self._lock is not None:
            clusterfile.give_up(self.directory, self._lock)
            self._lock = None


def run_standalone(options: StandaloneOptions) -> int:
    """`headrace standalone`: run until SIGINT or SIGTERM; the exit status.

    Both signals may be blocked before the call; they are let in once they stop in order.
    """
    return asyncio.run(_run(options))


async def _run(options: StandaloneOptions) -> int:
    def say(text: str) -> None:
        print(text, flush=True)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS_WANTED:
        loop.add_signal_handler(number, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS_WANTED)
    cluster = Standalone(options, say)
    say(f"starting a cluster in {cluster.directory}")
    starting = asyncio.create_task(cluster.start())
    await race(asyncio.wait([starting]), stop.wait())
    if not starting.done():
        say("stopping")
        starting.cancel()
    try:
        await starting
    except asyncio.CancelledError:
        say("stopped before it was ready")
        return 0
    except HeadraceError as error:
        print(f"headrace: {error.message}", file=sys.stderr, flush=True)
        return 2 if isinstance(error, Invalid) else 1
    except OSError as error:
        print(f"headrace: the cluster cannot be started: {error}", file=sys.stderr, flush=True)
        return 1
    for address in cluster.front_doors:
        say(f"ready: MilvusClient('http://{address}')")
    files = options.object_store or cluster.directory / "store"
    say(f"files: {files}   logs: {cluster.logs}   stop: Ctrl-C")
    await stop.wait()
    say("stopping")
    await cluster.stop()
    say("stopped; nothing is lost: the same --data-dir goes on")
    return 0


def temporary_directory(prefix: str) -> Path:
    """A new directory that is kept, on the disk of the working directory."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=Path.cwd()))
