"""What every part of a front door is made on."""

from dataclasses import dataclass

from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.proxy.settings import ProxySettings
from headrace.rpc.api import Peers
from headrace.runtime.host import Host
from headrace.runtime.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyEdges:
    """The settings of a proxy and its ways to the outside."""

    settings: ProxySettings
    host: Host
    telemetry: Telemetry
    keys: Keys
    meta: MetaStore
    peers: Peers
