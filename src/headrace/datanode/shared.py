"""What the flowgraphs of one node share: budget, settings, registration, and where orders go.

**Owns** the value that the machine hands to each flowgraph. **Does not own** decisions.
"""

from dataclasses import dataclass, field

from headrace.datanode.effects import Effect
from headrace.datanode.growing.budget import Budget
from headrace.datanode.settings import DataNodeSettings
from headrace.model.ids import ServerId


@dataclass(slots=True)
class Shared:
    """One for each node. `orders` are the effects of the step under way, in order.

    While the node is not registered nothing is reported: it keeps its buffers.
    """

    settings: DataNodeSettings
    budget: Budget
    server_id: ServerId = 0
    registered: bool = False
    orders: list[Effect] = field(default_factory=list)


def new_budget(settings: DataNodeSettings) -> Budget:
    """The budget that these settings mean."""
    soft = round(settings.budget_bytes * settings.budget_soft_share)
    return Budget(settings.budget_bytes, soft, settings.unreported_bytes_most)
