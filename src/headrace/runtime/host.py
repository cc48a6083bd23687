"""What a process takes from its surroundings: time, chance and threads, injected everywhere.

Direct use of `time`, `random`, `asyncio.sleep`, `threading` or sockets elsewhere is banned by lint,
so that a whole cluster can run on virtual time from one seed.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Time. `wall_ms` may jump; `monotonic` (seconds) never goes back."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970 by the wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Offload(Protocol):
    """Runs work that would hold the loop (encoding, files) elsewhere."""

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work()`, computed in a thread; its exception is raised here."""
        ...


class RealClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(seconds)


class ThreadOffload:
    """Work in the loop's default thread pool."""

    async def run(self, work: Callable[[], T]) -> T:
        """See `Offload`."""
        return await asyncio.to_thread(work)


@dataclass(frozen=True, slots=True)
class Host:
    """The surroundings of one process."""

    clock: Clock
    offload: Offload
    random: random.Random

    def token(self, size: int = 16) -> bytes:
        """Random bytes, e.g. a request id."""
        return self.random.randbytes(size)


def real_host() -> Host:
    """Time, chance and threads of this machine."""
    return Host(RealClock(), ThreadOffload(), random.SystemRandom())
