"""Timers: once, again and again, replaced, cancelled."""

import pytest
from support.clock import ManualClock

from headrace.runtime.supervise import TaskGroup
from headrace.runtime.timers import Timers


async def test_a_timer_acts_once_when_its_time_has_come() -> None:
    clock, seen = ManualClock(), []
    async with TaskGroup("group") as group:
        timers = Timers(clock, group)
        timers.once("a", 2.0, lambda: seen.append(clock.monotonic()))
        await clock.advance(1.9)
        assert seen == []
        await clock.advance(10.0)
        assert seen == [2.0]
        assert timers.keys == []


async def test_a_timer_of_the_same_key_replaces_the_one_before() -> None:
    clock, seen = ManualClock(), []
    async with TaskGroup("group") as group:
        timers = Timers(clock, group)
        timers.once("a", 1.0, lambda: seen.append("first"))
        timers.once("a", 2.0, lambda: seen.append("second"))
        timers.once("b", 3.0, lambda: seen.append("other"))
        await clock.advance(10.0)
    assert seen == ["second", "other"]


async def test_a_periodic_timer_acts_until_it_is_cancelled() -> None:
    clock, seen = ManualClock(), []
    async with TaskGroup("group") as group:
        timers = Timers(clock, group)
        timers.every("a", 1.5, lambda: seen.append(clock.monotonic()))
        await clock.advance(5.0)
        timers.cancel("a")
        await clock.advance(5.0)
    assert seen == [1.5, 3.0, 4.5]


async def test_an_action_may_set_its_own_timer_anew() -> None:
    clock, seen = ManualClock(), []
    async with TaskGroup("group") as group:
        timers = Timers(clock, group)

        def act() -> None:
            seen.append(clock.monotonic())
            if len(seen) < 3:
                timers.once("a", 1.0, act)

        timers.once("a", 1.0, act)
        await clock.advance(10.0)
    assert seen == [1.0, 2.0, 3.0]


async def test_an_action_that_raises_ends_the_group() -> None:
    clock = ManualClock()

    def act() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        async with TaskGroup("group") as group:
            Timers(clock, group).once("a", 1.0, act)
            await clock.advance(2.0)


async def test_cancel_all_leaves_no_timer() -> None:
    clock, seen = ManualClock(), []
    async with TaskGroup("group") as group:
        timers = Timers(clock, group)
        timers.once("a", 1.0, lambda: seen.append("a"))
        timers.every("b", 1.0, lambda: seen.append("b"))
        timers.cancel("absent")
        timers.cancel_all()
        await clock.advance(5.0)
    assert seen == [] and timers.keys == []
