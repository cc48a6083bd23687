"""What the supervisor and the simulator see of a role: something that runs until it is stopped.

**Owns** the contract between `app`/`sim` and the roles' `service` modules. **Does not own** wiring.

Every role's `service.py` has one class with this shape, made by
`Role(edges: Edges, settings: ...Settings, host: Host, telemetry: Telemetry)`; it registers itself,
answers at `edges.server`, and ends cleanly when `stop` was called or its task is cancelled.
"""

from dataclasses import dataclass
from typing import Protocol

from headrace.runtime.host import Host
from headrace.runtime.telemetry import Telemetry

__all__ = ["Host", "RoleProcess", "Telemetry"]


class RoleProcess(Protocol):
    """One role in one process."""

    async def run(self) -> None:
        """Register, serve, return after `stop`; raises only what the process must die of."""
        ...

    def stop(self) -> None:
        """Ask for a clean end: finish what is under way, give the session back, return."""
        ...

    @property
    def healthy(self) -> bool:
        """Registered, peers found, serving."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is: unique by node name in its role; the server id comes at registration."""

    node_name: str
    server_id: int
