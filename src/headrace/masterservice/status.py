"""What the master service says of itself: `headrace status`, `headrace inspect`."""

from typing import Any

from headrace.masterservice.machine import MasterMachine


def details(machine: MasterMachine, topic: str) -> dict[str, Any]:
    """A table by name for the topic: nodes, channels; else nothing."""
    if topic == "nodes":
        wanted = list(machine.sequencers.wanted().values())
        rows = [
            {
                "proxy": proxy.node_name,
                "server_id": proxy.server_id,
                "state": proxy.state,
                "pchannels": sum(r.server_id == proxy.server_id for r in wanted),
            }
            for proxy in machine.sequencers.proxies()
        ]
        return {"proxies": rows}
    if topic == "channels":
        records = machine.sequencers.wanted()
        return {
            "sequencers": [
                {"pchannel": p, "proxy": r.node_name, "server_id": r.server_id}
                for p, r in records.items()
            ]
        }
    return {}
