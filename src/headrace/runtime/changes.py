"""Waiting for the next change of something."""

import asyncio
from collections.abc import Callable


class Changes:
    """Counts changes and wakes those who wait for the next one.

    Take `count` before looking, then wait with `after(count)`: no change between the two is missed.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waiters: list[asyncio.Future[None]] = []

    def announce(self) -> None:
        """Something has changed."""
        self.count += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def after(self, count: int) -> None:
        """Return once more than `count` changes were announced."""
        while self.count <= count:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as it holds: now, or after a change."""
        while not holds():
            await self.after(self.count)
