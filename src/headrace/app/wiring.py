"""The one place that puts roles and adapters together.

**Owns** which adapter a setting means, and how each role is made. **Does not own** the process
around it (`app.process`). The simulator makes roles with `make_role` too, on in-memory edges.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, assert_never
from urllib.parse import unquote

from headrace.app.settings import EtcdSettings, ObjectSettings, Settings
from headrace.datanode.service import DataNode
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.service import DataService
from headrace.dataservice.settings import DataServiceSettings
from headrace.log.api import Log
from headrace.log.nats import NatsLog
from headrace.masterservice.service import MasterService
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import MetaStore
from headrace.meta.etcd import EtcdMeta
from headrace.meta.etcd_connections import EtcdAccess
from headrace.meta.keys import Keys
from headrace.meta.records import Role
from headrace.model.errors import Invalid, Unavailable
from headrace.objects.api import ObjectStore
from headrace.objects.local import LocalObjects
from headrace.objects.s3 import S3Objects
from headrace.proxy.methods import Methods
from headrace.proxy.service import Door, Proxy
from headrace.proxy.settings import ProxySettings
from headrace.rpc.api import Peers, Server
from headrace.rpc.grpc import GrpcPeers, GrpcServer
from headrace.runtime.crashpoints import CrashPoints
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff
from headrace.runtime.role import RoleProcess
from headrace.runtime.telemetry import Telemetry
from headrace.sequencer.service import Sequencers
from headrace.sequencer.settings import SequencerSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """A process's four edges."""

    meta: MetaStore
    log: Log
    objects: ObjectStore
    peers: Peers
    server: Server

    async def close(self) -> None:
        """Give all connections back."""
        for edge in (self.peers, self.log, self.objects, self.meta):
            await edge.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSettings:
    """The roles' own settings."""

    master_service: MasterServiceSettings = field(default_factory=MasterServiceSettings)
    data_service: DataServiceSettings = field(default_factory=DataServiceSettings)
    data_node: DataNodeSettings = field(default_factory=DataNodeSettings)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    sequencer: SequencerSettings = field(default_factory=SequencerSettings)


def make_role(
    role: Role,
    *,
    settings: RoleSettings | Settings,
    host: Host,
    telemetry: Telemetry,
    keys: Keys,
    node_name: str,
    edges: Edges,
    crash: CrashPoints,
    door: Callable[[Methods], Door] | None = None,
) -> RoleProcess:
    """One role on these edges. `door` is the server in which a proxy's clients reach its methods;
    without one they are called in the process."""
    common: dict[str, Any] = {
        "host": host,
        "telemetry": telemetry,
        "keys": keys,
        "node_name": node_name,
        "meta": edges.meta,
        "log": edges.log,
        "peers": edges.peers,
        "server": edges.server,
        "crash": crash,
    }
    match role:
        case Role.MASTER_SERVICE:
            return MasterService(settings=settings.master_service, **common)
        case Role.DATA_SERVICE:
            return DataService(settings=settings.data_service, objects=edges.objects, **common)
        case Role.DATA_NODE:
            return DataNode(settings=settings.data_node, objects=edges.objects, **common)
        case Role.PROXY:
            return _make_proxy(settings, edges, crash, host, telemetry, keys, node_name, door)
    assert_never(role)


def _make_proxy(
    settings: RoleSettings | Settings,
    edges: Edges,
    crash: CrashPoints,
    host: Host,
    telemetry: Telemetry,
    keys: Keys,
    node_name: str,
    door: Callable[[Methods], Door] | None,
) -> Proxy:
    """The proxy and, in the same process, the sequencers of the pchannels it is wished for."""

    def sequencers(proxy: Proxy) -> Sequencers:
        return Sequencers(
            settings=settings.sequencer,
            host=host,
            telemetry=telemetry,
            keys=keys,
            meta=edges.meta,
            log=edges.log,
            peers=edges.peers,
            server_id=lambda: proxy.server_id,
            address=lambda: proxy.address,
            master_address=lambda: proxy.master_address,
            crash=crash,
        )

    return Proxy(
        settings=settings.proxy,
        host=host,
        telemetry=telemetry,
        keys=keys,
        node_name=node_name,
        meta=edges.meta,
        peers=edges.peers,
        server=edges.server,
        sequencers=sequencers,
        door=door,
    )


async def open_edges(settings: Settings, host: Host, telemetry: Telemetry) -> Edges:
    """The adapters that the settings name; waits for servers that are not there yet."""
    process = settings.process
    objects = open_objects(settings.objects, host)
    await retry(objects.check, host, telemetry, "the object store")
    log = await retry(
        lambda: NatsLog.open(settings.log, host, telemetry), host, telemetry, "the log"
    )
    return Edges(
        meta=etcd_of(settings.etcd, host),
        log=log,
        objects=objects,
        peers=GrpcPeers(host.clock),
        server=GrpcServer(
            telemetry,
            host=process.bind_host,
            port=process.bind_port,
            public_host=process.advertise_host,
        ),
    )


def etcd_of(settings: EtcdSettings, host: Host) -> MetaStore:
    """A client of the cluster's etcd."""
    access = EtcdAccess(
        endpoints=settings.endpoints,
        user=settings.user,
        password=settings.password,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
    )
    return EtcdMeta(access, host)


def open_objects(settings: ObjectSettings, host: Host) -> ObjectStore:
    """The object store of a URI; `Invalid` when it is of no kind that is served."""
    scheme, separator, rest = settings.uri.partition("://")
    if not separator:
        return LocalObjects(Path(settings.uri), host=host)
    if scheme == "file":
        return LocalObjects(Path(unquote(rest)), host=host)
    if scheme == "s3":
        return S3Objects(settings.uri, settings.access(), host=host)
    raise Invalid(
        f"objects.uri {settings.uri!r} is not served; name a directory, file:///... or s3://...",
        field="objects.uri",
    )


async def retry(work: Callable[[], Awaitable[T]], host: Host, telemetry: Telemetry, what: str) -> T:
    """The result of `work`, tried again while it is unavailable; said once."""
    backoff = Backoff(host)
    said = False
    while True:
        try:
            return await work()
        except Unavailable as error:
            if not said:
                telemetry.log.warning(f"waiting for {what}", reason=error.message)
                said = True
            await host.clock.sleep(backoff.next_s())
