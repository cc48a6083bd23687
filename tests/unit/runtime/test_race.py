"""The first to end decides; who loses is cancelled, and nothing goes on behind the wait."""

import asyncio

import pytest
from support.world.clock import ManualClock

from headrace.runtime.changes import Changes
from headrace.runtime.race import pause, race, within


async def test_of_those_that_end_together_the_first_named_wins() -> None:
    async def said(word: str) -> str:
        return word

    assert await race(said("left"), said("right")) == "left"


async def test_losers_have_ended_when_the_race_returns() -> None:
    clock = ManualClock()
    ended = []

    async def slow_to_end() -> None:
        try:
            await clock.sleep(1000)
        finally:
            await asyncio.sleep(0)
            ended.append(clock.monotonic())

    await clock.run(race(clock.sleep(1), slow_to_end()))
    assert ended == [1]


async def test_what_is_waited_for_by_asyncio_wait_goes_on_when_it_loses() -> None:
    clock = ManualClock()
    work = asyncio.create_task(clock.sleep(5))
    await clock.run(race(asyncio.wait([work]), clock.sleep(1)))
    assert not work.done()
    await clock.advance(5)
    assert work.done() and not work.cancelled()


async def test_work_that_ends_in_time_has_its_result() -> None:
    clock = ManualClock()

    async def work() -> int:
        await clock.sleep(1)
        return 5

    assert await clock.run(within(clock, 2, work())) == 5
    assert clock.monotonic() == 1


async def test_work_that_takes_too_long_is_cancelled() -> None:
    clock = ManualClock()
    ended = []

    async def work() -> None:
        try:
            await clock.sleep(1000)
        finally:
            ended.append(clock.monotonic())

    with pytest.raises(TimeoutError):
        await clock.run(within(clock, 2, work()))
    assert ended == [2]


async def test_an_error_of_the_work_comes_through() -> None:
    clock = ManualClock()

    async def work() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await clock.run(within(clock, 2, work()))


async def test_cancelling_the_wait_cancels_the_work() -> None:
    clock = ManualClock()
    ended = []

    async def work() -> None:
        try:
            await clock.sleep(1000)
        finally:
            ended.append(True)

    task = asyncio.create_task(within(clock, 2000, work()))
    await clock.advance(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert ended == [True]


async def test_a_pause_ends_with_the_change_or_with_its_time() -> None:
    clock = ManualClock()
    changes = Changes()
    await clock.run(pause(clock, 3, changes.after(0)))
    assert clock.monotonic() == 3
    waiting = asyncio.create_task(pause(clock, 3, changes.after(0)))
    await clock.advance(1)
    changes.announce()
    await clock.advance(0)
    assert waiting.done()
    await clock.run(pause(clock, 1))
    assert clock.monotonic() == 5
