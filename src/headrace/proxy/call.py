"""A client's call: what the front door knows of it beside its message."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.runtime.host import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCall:
    """A client's call. `deadline` is in seconds of the monotonic clock."""

    method: str
    clock: Clock
    deadline: float
    headers: Mapping[str, str] = field(default_factory=dict)  # lower case
    request: bytes = field(default=b"", repr=False)  # the message as it came

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline; 0 when it has passed."""
        return max(0.0, self.deadline - self.clock.monotonic())
