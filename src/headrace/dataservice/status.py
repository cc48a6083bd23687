"""Status: what the data service says of itself, for `headrace status` and `inspect`.

What a checkpoint waits for is said in the flowgraph's own words where it has some, else by what the
data service knows.
"""

from typing import Any

from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.placement.channel import Channel
from headrace.model.timestamp import physical_ms


def describe(machine: DataServiceMachine, topic: str, now: float) -> dict[str, Any]:
    """Of topics "", nodes, channels, checkpoints; others are not the machine's."""
    if topic == "nodes":
        return {"nodes": _nodes(machine, now)}
    if topic == "channels":
        return {"channels": [_channel(c, now) for c in machine.channels.all()]}
    if topic == "checkpoints":
        return {"checkpoints": [_checkpoint(c) for c in machine.channels.all()]}
    channels = machine.channels.all()
    return {
        "leads": True,
        "ready": machine.ready,
        "nodes": len(_nodes(machine, now)),
        "vchannels": len(channels),
        "watched": sum(1 for c in channels if _state(c) == "running"),
        "commits_under_way": machine.reports.under_way(),
        "collections": len(machine.manifests.collections()),
    }


def _nodes(machine: DataServiceMachine, now: float) -> list[dict[str, Any]]:
    held: dict[int, int] = {}
    for channel in machine.channels.all():
        held[channel.holder] = held.get(channel.holder, 0) + 1
    return [
        {
            "node": node.seen.node_name,
            "server_id": node.seen.server_id,
            "address": node.seen.address,
            "state": node.seen.state.value if node.session else "no session",
            "gone": machine.failovers.is_gone(node.seen.server_id, now),
            "vchannels": held.get(node.seen.server_id, 0),
            "buffered_bytes": node.buffered_bytes,
            "trouble": node.trouble,
        }
        for node in machine.nodes
    ]


def _channel(channel: Channel, now: float) -> dict[str, Any]:
    epoch = channel.epoch
    return {
        "vchannel": channel.vchannel,
        "epoch": epoch.epoch if epoch else 0,
        "node": epoch.node_name if epoch else "",
        "server_id": channel.holder,
        "goes_to": channel.target or "",
        "state": _state(channel),
        "failures": channel.failures,
        "next_epoch_in_s": round(max(0.0, channel.retry_at - now), 3) if channel.lost else 0,
        "trouble": channel.trouble,
        "buffered_bytes": channel.reported.buffered_bytes if channel.reported else 0,
    }


def _checkpoint(channel: Channel) -> dict[str, Any]:
    position = channel.checkpoint.position if channel.checkpoint else None
    state = channel.reported
    return {
        "vchannel": channel.vchannel,
        "message_id": position.message_id if position else 0,
        "timestamp": channel.timestamp,
        "time_ms": physical_ms(channel.timestamp),
        "consumed": state.consumed.message_id if state and state.consumed else 0,
        "awaited": channel.awaited if channel.awaited > channel.timestamp else 0,
        "blocker": _blocker(channel),
    }


def _state(channel: Channel) -> str:
    if channel.dropped:
        return "dropped"
    if channel.holder == 0:
        return "unassigned"
    if channel.lost:
        return "ended"
    return channel.reported.state if channel.reported else "watch sent"


def _blocker(channel: Channel) -> str:
    if channel.dropped:
        return "nothing: it is dropped"
    if channel.reported is not None:
        return channel.reported.blocker
    if channel.trouble and channel.lost:
        return channel.trouble
    return "nobody watches it" if channel.holder == 0 else "its node has not reported it yet"
