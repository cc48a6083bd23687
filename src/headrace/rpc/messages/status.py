"""What every role is asked."""

from dataclasses import dataclass, field
from typing import TypeAlias

from headrace.rpc.messages.registry import answered_by

Cell: TypeAlias = str | int | float | bool | None
Details: TypeAlias = dict[str, Cell | list[dict[str, Cell]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResponse:
    """What a role says of itself, for `headrace status` and `inspect`: single values, or tables of
    rows, by name. Free of secrets."""

    role: str
    node_name: str
    server_id: int
    state: str  # initializing, healthy, stopping
    details: Details = field(default_factory=dict)


@answered_by(StatusResponse)
class StatusRequest:
    """How are you? `topic` is one of "", nodes, channels, segments, checkpoints, story:WHAT."""

    topic: str = ""
