"""The one place that puts roles and adapters together.

**Owns** which adapter a setting means, and how each role is made. **Does not own** the process around
it (`app.process`). The simulator makes roles with `make_role` too, on in-memory edges.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace.app.settings import Settings
from headrace.datanode.service import DataNode
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.service import DataService
from headrace.dataservice.settings import DataServiceSettings
from headrace.log.api import Log
from headrace.masterservice.service import MasterService
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import Role
from headrace.objects.api import ObjectStore
from headrace.proxy.service import Proxy
from headrace.proxy.settings import ProxySettings
from headrace.rpc.api import Peers, Server
from headrace.runtime.crashpoints import CrashPoints
from headrace.runtime.host import Host
from headrace.runtime.role import RoleProcess
from headrace.runtime.telemetry import Telemetry
from headrace.sequencer.service import Sequencers
from headrace.sequencer.settings import SequencerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """A process's four edges."""

    meta: MetaStore
    log: Log
    objects: ObjectStore
    peers: Peers
    server: Server


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSettings:
    """The roles' own settings."""

    master_service: MasterServiceSettings = MasterServiceSettings()
    data_service: DataServiceSettings = DataServiceSettings()
    data_node: DataNodeSettings = DataNodeSettings()
    proxy: ProxySettings = ProxySettings()
    sequencer: SequencerSettings = SequencerSettings()
