"""What every role is asked."""

from dataclasses import dataclass

from headrace.rpc.messages.registry import answered_by


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResponse:
    """What a role says of itself, for `headrace status` and `inspect`: JSON, free of secrets."""

    role: str
    node_name: str
    server_id: int
    state: str  # initializing, healthy, stopping
    details: bytes = b"{}"


@answered_by(StatusResponse)
@dataclass(frozen=True, slots=True)
class StatusRequest:
    """How are you? `topic` is one of "", nodes, channels, segments, checkpoints, story:WHAT."""

    topic: str = ""
