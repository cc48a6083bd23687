"""Waiting on the injected clock: a call's deadline, and backoff that a change cuts short.

**Owns** `Call` (what the front door knows of a client's call beside its message) and the waits.
**Does not own** what happens when the time is over: `errors` has the answers, `writes` the rules.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from headrace.runtime.host import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
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


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, or `TimeoutError` after `seconds`; then `work` is cancelled."""
    return await unless(clock.sleep(seconds), work)


async def unless(over: Awaitable[Any], work: Awaitable[T]) -> T:
    """The result of `work`, or `TimeoutError` once `over` completes; then `work` is cancelled."""
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(over)
    try:
        await asyncio.wait((task, alarm), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        await _end(task)
        await _end(alarm)


async def pause(clock: Clock, seconds: float, changed: Awaitable[Any] | None = None) -> None:
    """Wait `seconds`, or less if `changed` completes."""
    if changed is None:
        await clock.sleep(seconds)
        return
    try:
        await within(clock, seconds, changed)
    except TimeoutError:
        return


async def _end(task: "asyncio.Future[Any]") -> None:
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
