"""What the master service says of itself: `headrace status`, `headrace inspect`.

**Owns** the tables of each topic. **Does not own** how they are shown (`cli`).
"""

from typing import Any

from headrace.masterservice.leading import Leading

STORY = "story:"


def details(leading: Leading | None, topic: str) -> dict[str, Any]:
    """A table by name for the topic; nothing from a process that does not lead."""
    if leading is None or leading.machine is None:
        return {}
    machine = leading.machine
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
    if topic.startswith(STORY):
        story = leading.story(topic.removeprefix(STORY))
        return {"story": story} if story else {}
    return {}
