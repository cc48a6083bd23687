"""Waits for what comes first: an outcome, a deadline, a change, or an order to stop.

**Owns** the end of what loses: it is cancelled and has ended when the wait returns, also when the
wait itself is cancelled, so nothing goes on in the background and no error is left unread. **Does
not own** what it means that something was late.

To race for the end of something that shall go on if it loses, wait for it by `asyncio.wait`:
`race(asyncio.wait(tasks), stop.wait())`.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Never, TypeVar

from headrace.runtime.host import Clock

T = TypeVar("T")


async def race(*outcomes: Awaitable[T]) -> T:
    """The outcome of the first to end, an error included; of those that end together, the first
    named."""
    tasks = [asyncio.ensure_future(work) for work in outcomes]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def unless(over: Awaitable[Any], work: Awaitable[T]) -> T:
    """The result of `work`, or `TimeoutError` once `over` completes."""
    return await race(work, _time_out_after(over))


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, or `TimeoutError` after `seconds`."""
    return await unless(clock.sleep(seconds), work)


async def pause(clock: Clock, seconds: float, changed: Awaitable[Any] | None = None) -> None:
    """Wait `seconds`, or less if `changed` completes."""
    if changed is None:
        await clock.sleep(seconds)
    else:
        await race(changed, clock.sleep(seconds))


async def _time_out_after(over: Awaitable[Any]) -> Never:
    await over
    raise TimeoutError
