"""The one place that makes the roles, each on its edges.

**Owns** how each role is made. **Does not own** which adapters the edges are (`app.edges`) or the
process around them (`app.process`). The simulator makes roles with `make_role` too, on in-memory
edges.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_never

from headrace.app.edges import Edges
from headrace.app.settings import Settings
from headrace.datanode.service import DataNode
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.service import DataService
from headrace.dataservice.settings import DataServiceSettings
from headrace.masterservice.service import MasterService
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.keys import Keys
from headrace.meta.records import Role
from headrace.proxy.door.methods import Methods
from headrace.proxy.service import Door, Proxy
from headrace.proxy.settings import ProxySettings
from headrace.runtime.crashpoints import CrashPoints
from headrace.runtime.host import Host
from headrace.runtime.role import RoleProcess
from headrace.runtime.telemetry import Telemetry
from headrace.sequencer.service import Sequencers
from headrace.sequencer.settings import SequencerSettings


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
    validate: bool = False,
) -> RoleProcess:
    """One role on these edges. `door` is the server in which a proxy's clients reach its methods;
    without one they are called in the process. `validate`: machines assert their invariants after
    every step."""
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
        "validate": validate,
    }
    match role:
        case Role.MASTER_SERVICE:
            return MasterService(settings=settings.master_service, **common)
        case Role.DATA_SERVICE:
            return DataService(settings=settings.data_service, objects=edges.objects, **common)
        case Role.DATA_NODE:
            return DataNode(settings=settings.data_node, objects=edges.objects, **common)
        case Role.PROXY:
            return _make_proxy(settings, edges, common, door)
    assert_never(role)


def _make_proxy(
    settings: RoleSettings | Settings,
    edges: Edges,
    common: dict[str, Any],
    door: Callable[[Methods], Door] | None,
) -> Proxy:
    """The proxy and, in the same process, the sequencers of the pchannels it is assigned for."""

    def sequencers(proxy: Proxy) -> Sequencers:
        return Sequencers(
            settings=settings.sequencer,
            host=common["host"],
            telemetry=common["telemetry"],
            keys=common["keys"],
            meta=edges.meta,
            log=edges.log,
            peers=edges.peers,
            server_id=lambda: proxy.server_id,
            address=lambda: proxy.address,
            master_address=lambda: proxy.master_address,
            crash=common["crash"],
            validate=common["validate"],
        )

    of_sequencers = ("log", "crash", "validate")
    return Proxy(
        settings=settings.proxy,
        sequencers=sequencers,
        door=door,
        **{name: value for name, value in common.items() if name not in of_sequencers},
    )
