"""The surroundings of a simulated process: virtual clock, seeded chance, work done in place."""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

from headrace.runtime.host import Host

T = TypeVar("T")
BEGINNING_MS = 1_700_000_000_000  # wall clock at virtual second 0


class VirtualClock:
    """A `Clock` on the loop's time."""

    def wall_ms(self) -> int:
        return BEGINNING_MS + int(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class InPlace:
    """An `Offload`: what a real process gives to a thread is done at once, after virtual time."""

    def __init__(self, clock: VirtualClock, chance: random.Random) -> None:
        self._clock = clock
        self._random = chance

    async def run(self, work: Callable[[], T]) -> T:
        await self._clock.sleep(self._random.uniform(0, 0.005))
        return work()


def virtual_host(chance: random.Random) -> Host:
    """A host whose chance comes from `chance` alone."""
    clock = VirtualClock()
    return Host(clock, InPlace(clock, chance), chance)
