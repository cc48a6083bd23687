"""Timers on the injected clock: once, or again and again.

**Owns** `Timers`, whose timers have keys, so that a machine's order "wake me for this at then" can
be repeated and replaces the one before. **Does not own** time (`runtime.host.Clock`) or the tasks
(`runtime.supervise`: an action that raises ends the group, as any task that dies does).

Actions are plain calls, usually `driver.post(Event(...))`; what takes time belongs into an effect.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import TypeAlias

from headrace.runtime.host import Clock
from headrace.runtime.supervise import TaskGroup

Key: TypeAlias = Hashable


class Timers:
    """The timers of one role. They end with the group they were made in."""

    def __init__(self, clock: Clock, group: TaskGroup) -> None:
        self._clock = clock
        self._group = group
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    @property
    def keys(self) -> list[Key]:
        """Of the timers that are still to come."""
        return list(self._tasks)

    def once(self, key: Key, delay_s: float, action: Callable[[], None]) -> None:
        """Call `action` after `delay_s`; a timer with that key is replaced."""

        async def wait() -> None:
            await self._clock.sleep(delay_s)
            if self._tasks.get(key) is asyncio.current_task():
                del self._tasks[key]
            action()

        self.cancel(key)
        self._tasks[key] = self._group.spawn(f"timer {key}", wait())

    def every(self, key: Key, period_s: float, action: Callable[[], None]) -> None:
        """Call `action` every `period_s`, first after one period; a timer with that key goes.

        The next period begins when the action has returned: after a freeze it is called once, not
        once for each period missed.
        """

        async def wait() -> None:
            while True:
                await self._clock.sleep(period_s)
                action()

        self.cancel(key)
        self._tasks[key] = self._group.spawn(f"timer {key}", wait())

    def cancel(self, key: Key) -> None:
        """The timer with that key will not act; nothing if there is none."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    def cancel_all(self) -> None:
        """No timer will act."""
        for key in list(self._tasks):
            self.cancel(key)
