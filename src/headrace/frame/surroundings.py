"""What a role is made in: its settings, its edges, and what a process takes from outside.

**Owns** the one list of collaborators that all roles are made with. **Does not own** how they are
made (`app.wiring`, the simulator).
"""

from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

from headrace.log.api import Log
from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.objects.api import ObjectStore
from headrace.rpc.api import Peers, Server
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.host import Host
from headrace.runtime.telemetry import Telemetry

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings(Generic[S]):
    """Of one process; `S` is the type of its settings."""

    settings: S
    node_name: str
    host: Host
    telemetry: Telemetry
    keys: Keys
    meta: MetaStore
    log: Log
    objects: ObjectStore
    peers: Peers
    server: Server
    crash: CrashPoints = field(default_factory=NoCrashPoints)
    validate: bool = False  # whether machines assert their invariants after every step

    def with_settings(self, settings: T) -> "Surroundings[T]":
        """The same with other settings: those of one role out of those of all."""
        return replace(cast("Surroundings[Any]", self), settings=settings)
