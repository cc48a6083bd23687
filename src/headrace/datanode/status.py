"""What a data node says of itself in `headrace status` and `headrace inspect`."""

from typing import Any

from headrace.datanode.machine import DataNodeMachine
from headrace.model.channel import Position


def details(machine: DataNodeMachine, topic: str, now: float) -> dict[str, Any]:
    """A table by name for the topic: "", channels, checkpoints; else nothing."""
    states = machine.states(now)
    if topic == "channels":
        names = ("vchannel", "epoch", "state", "buffered_bytes", "reason")
        return {"flowgraphs": [{name: getattr(s, name) for name in names} for s in states]}
    if topic == "checkpoints":
        rows = [
            {
                "vchannel": s.vchannel,
                "checkpoint": _timestamp(s.checkpoint),
                "consumed": _timestamp(s.consumed),
                "blocker": s.blocker,
            }
            for s in states
        ]
        return {"flowgraphs": rows}
    if topic == "":
        budget = machine.budget
        return {
            "flowgraphs": len(states),
            "budget_bytes": budget.hard_bytes,
            "used_bytes": budget.used_bytes,
            "unreported_bytes": budget.unreported_bytes,
            "registered": machine.shared.registered,
        }
    return {}


def _timestamp(position: Position | None) -> int:
    return position.timestamp if position else 0
