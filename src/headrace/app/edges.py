"""Opens a process's four edges as its settings say, and waits for servers that are not up yet."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from headrace.app.ownership import own_store
from headrace.app.settings import EtcdSettings, ObjectSettings, Settings
from headrace.log.api import Log
from headrace.log.nats import NatsLog
from headrace.meta.api import MetaStore
from headrace.meta.etcd import EtcdMeta
from headrace.meta.etcd_connections import EtcdAccess
from headrace.meta.keys import Keys
from headrace.model.errors import Invalid, Unavailable
from headrace.objects.api import ObjectStore
from headrace.objects.local import LocalObjects
from headrace.objects.s3 import S3Objects
from headrace.rpc.api import Peers, Server
from headrace.rpc.grpc import GrpcPeers, GrpcServer
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff
from headrace.runtime.telemetry import Telemetry

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
        for edge in (self.peers, self.log, self.objects, self.meta):
            await edge.close()


async def open_edges(settings: Settings, host: Host, telemetry: Telemetry) -> Edges:
    """The adapters that the settings name, on an object store that is this cluster's; waits for
    servers that are not there yet."""
    process = settings.process
    objects = open_objects(settings.objects, host)
    await retry(objects.check, host, telemetry, "the object store")
    meta, keys = etcd_of(settings.etcd, host), Keys(settings.etcd.root)
    await retry(lambda: own_store(meta, keys, objects, host), host, telemetry, "the stores")
    log = await retry(
        lambda: NatsLog.open(settings.log, host, telemetry), host, telemetry, "the log"
    )
    return Edges(
        meta=meta,
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
