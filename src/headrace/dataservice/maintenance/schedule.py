"""Chores: what is done again and again, one round at a time.

**Owns** when each chore's next round begins. **Does not own** the rounds (`drops`, `bundles`,
`garbage`, `truncate`). One at a time, so that none meets the half-done work of another.
"""

from headrace.dataservice.effects import DoChore, Effect
from headrace.dataservice.settings import DataServiceSettings

DROPS, BUNDLES, COLLECT, TRUNCATE, NAMES = "drops", "bundles", "collect", "truncate", "names"


class Chores:
    """The rounds. Times are monotonic seconds."""

    def __init__(self, settings: DataServiceSettings, start: float) -> None:
        self._every = {
            DROPS: settings.collect_interval_s,
            BUNDLES: settings.bundle_interval_s,
            TRUNCATE: settings.truncate_interval_s,
            COLLECT: settings.collect_interval_s,
            NAMES: settings.collect_interval_s,
        }
        self._due = {
            name: start if name == NAMES else start + every for name, every in self._every.items()
        }
        self._running = ""

    def soon(self, chore: str, now: float) -> None:
        """There is something to do for it: its next round is due."""
        self._due[chore] = min(self._due[chore], now)

    def due(self, now: float) -> list[Effect]:
        """The round to begin now, if none is under way."""
        if self._running:
            return []
        name = min(self._due, key=lambda n: self._due[n])
        if self._due[name] > now:
            return []
        self._running = name
        return [DoChore(name)]

    def ended(self, chore: str, now: float) -> None:
        """A round has ended, well or not."""
        self._running = ""
        self._due[chore] = now + self._every[chore]
