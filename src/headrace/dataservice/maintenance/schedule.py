"""When each maintenance task begins its next round.

One round at a time, so that none meets the half-done work of another.
"""

from headrace.dataservice.effects import DoMaintenance, Effect
from headrace.dataservice.events import MaintenanceTask
from headrace.dataservice.settings import DataServiceSettings


class MaintenanceSchedule:
    """Times are monotonic seconds."""

    def __init__(self, settings: DataServiceSettings, start: float) -> None:
        self._every = {
            MaintenanceTask.DROPS: settings.collect_interval_s,
            MaintenanceTask.BUNDLES: settings.bundle_interval_s,
            MaintenanceTask.TRUNCATE: settings.truncate_interval_s,
            MaintenanceTask.COLLECT: settings.collect_interval_s,
            MaintenanceTask.NAMES: settings.collect_interval_s,
        }
        self._due = {task: start + every for task, every in self._every.items()}
        self._due[MaintenanceTask.NAMES] = start
        self._running = False

    def soon(self, task: MaintenanceTask, now: float) -> None:
        self._due[task] = min(self._due[task], now)

    def due(self, now: float) -> list[Effect]:
        """The round to begin now, if none is under way."""
        task = min(self._due, key=lambda t: self._due[t])
        if self._running or self._due[task] > now:
            return []
        self._running = True
        return [DoMaintenance(task)]

    def ended(self, task: MaintenanceTask, now: float) -> None:
        """A round has ended, well or not."""
        self._running = False
        self._due[task] = now + self._every[task]
