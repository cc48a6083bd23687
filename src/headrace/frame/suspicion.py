"""How long a failover on suspicion waits when there was one before.

A suspicion may be wrong again and again. So a second failover of the same node or pchannel within
`suspicion_memory_s` waits `suspicion_wait_s`, and each further one twice as long.
"""

from dataclasses import dataclass
from typing import Protocol


class SuspicionSettings(Protocol):
    """What is needed of a role's settings."""

    @property
    def suspicion_memory_s(self) -> float: ...

    @property
    def suspicion_wait_s(self) -> float: ...


@dataclass(slots=True)
class _Past:
    """Failovers on suspicion of one name: when the last was, and how many came close together."""

    last: float
    count: int


class PastFailovers:
    """By name. Times are monotonic seconds."""

    def __init__(self, settings: SuspicionSettings) -> None:
        self._settings = settings
        self._past: dict[str, _Past] = {}

    def wait_s(self, name: str, now: float) -> float:
        """How long the next failover has to wait."""
        past = self._recent(name, now)
        return self._settings.suspicion_wait_s * 2.0 ** (past.count - 1) if past else 0.0

    def note(self, name: str, now: float) -> None:
        """There was one."""
        past = self._recent(name, now)
        self._past[name] = _Past(now, past.count + 1 if past else 1)

    def forget_old(self, now: float) -> None:
        """Keep those that still make the next one wait."""
        self._past = {n: p for n, p in self._past.items() if self._recent(n, now)}

    def _recent(self, name: str, now: float) -> _Past | None:
        past = self._past.get(name)
        return past if past and now - past.last < self._settings.suspicion_memory_s else None
