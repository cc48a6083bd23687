"""A clock for tests: time moves only when a test moves it, or when nothing else is left to do.

**Owns** `ManualClock` and the host around it. **Does not own** the simulator's loop
(`headrace.sim`), which also freezes and kills processes.
"""

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from headrace.runtime.host import Host

T = TypeVar("T")


class ManualClock:
    """Implements `runtime.host.Clock`. `advance` moves time; `run` moves it as far as is needed."""

    def __init__(self, wall_ms: int = 1_700_000_000_000) -> None:
        self._started_ms = wall_ms
        self._now = 0.0
        self._count = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall_ms(self) -> int:
        """See `Clock`."""
        return self._started_ms + round(self._now * 1000)

    def monotonic(self) -> float:
        """See `Clock`."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See `Clock`; ends in order of time, then in order of the calls."""
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move time on by `seconds`, waking sleepers one by one and letting each act."""
        until = self._now + seconds
        await settle()
        while self._next(until):
            await settle()
        self._now = until

    async def run(self, work: Coroutine[Any, Any, T], *, limit_s: float = 3600.0) -> T:
        """The result of `work`; whenever all wait, time jumps to the next sleeper."""
        task = asyncio.ensure_future(work)
        until = self._now + limit_s
        idle = 0
        try:
            while True:
                await settle()
                if task.done():
                    return task.result()
                idle = 0 if self._next(until) else idle + 1
                if idle:
                    await asyncio.wait([task], timeout=0.02)  # real work: a thread, a socket
                    assert idle < 500, f"not done at {self._now} s, and nothing is left to wait for"
        finally:
            task.cancel()

    def _next(self, until: float) -> bool:
        while self._sleepers and self._sleepers[0][0] <= until:
            when, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._now = max(self._now, when)
                future.set_result(None)
                return True
        return False


async def settle() -> None:
    """Let every task run until each waits for something."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]
            return


class InPlace:
    """Implements `runtime.host.Offload`: work is done at once, in order."""

    async def run(self, work: Callable[[], T]) -> T:
        """See `Offload`."""
        return work()


def manual_host(clock: ManualClock, seed: int = 0) -> Host:
    """A host on this clock, with chance from `seed`."""
    return Host(clock, InPlace(), random.Random(seed))
