"""The one place that makes the roles, each in its surroundings.

The simulator makes roles with `make_role` too, on in-memory edges.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_never

from headrace.app.settings import Settings
from headrace.datanode.service import DataNode
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.service import DataService
from headrace.dataservice.settings import DataServiceSettings
from headrace.frame.service import RoleService
from headrace.frame.surroundings import Surroundings
from headrace.masterservice.service import MasterService
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import Role
from headrace.proxy.door.methods import Methods
from headrace.proxy.service import Door, Proxy
from headrace.proxy.settings import ProxySettings
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
    around: Surroundings[RoleSettings] | Surroundings[Settings],
    door: Callable[[Methods], Door] | None = None,
) -> RoleService[Any]:
    """One role. `door` is the server in which a proxy's clients reach its methods; without one they
    are called in the process."""
    settings = around.settings
    match role:
        case Role.MASTER_SERVICE:
            return MasterService(around.with_settings(settings.master_service))
        case Role.DATA_SERVICE:
            return DataService(around.with_settings(settings.data_service))
        case Role.DATA_NODE:
            return DataNode(around.with_settings(settings.data_node))
        case Role.PROXY:
            # The sequencers of the pchannels that the proxy is assigned live in its process.
            sequencers = around.with_settings(settings.sequencer)
            return Proxy(
                around.with_settings(settings.proxy),
                sequencers=lambda proxy: Sequencers(
                    sequencers,
                    server_id=lambda: proxy.server_id,
                    address=lambda: proxy.address,
                    master_address=lambda: proxy.master_address,
                ),
                door=door,
            )
    assert_never(role)
