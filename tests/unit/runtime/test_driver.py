"""The driver keeps its five duties."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from support.world.clock import ManualClock, settle

from headrace.runtime.driver import AnswerTo, Driver, Source
from headrace.runtime.journal.steps import Journal


class Echo:
    """A machine that keeps its events and orders what a table says."""

    def __init__(self, orders: dict[str, list[str]] | None = None) -> None:
        self.seen: list[tuple[str, float]] = []
        self.validated = 0
        self._orders = orders or {}

    def step(self, event: str, now: float) -> Sequence[str]:
        self.seen.append((event, now))
        return self._orders.get(event, [])

    def validate(self) -> None:
        self.validated += 1
        assert "wrong" not in [event for event, _ in self.seen], "something wrong was told"

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.seen]


async def nothing(effect: str) -> str | None:
    return None


def driver_of(
    machine: Echo,
    perform: Callable[[str], Awaitable[str | None]] = nothing,
    clock: ManualClock | None = None,
    *,
    journal: Journal | None = None,
    validate: bool = False,
) -> Driver[str, str]:
    return Driver(
        machine,
        perform,
        clock or ManualClock(),
        name="test",
        journal=journal.record if journal else None,
        validate=validate,
    )


async def test_events_are_handled_in_the_order_in_which_they_arrive() -> None:
    machine = Echo()
    driver = driver_of(machine)
    for event in "abc":
        driver.post(event, Source.PEER)
    driver.stop()
    await driver.run()
    assert machine.events == ["a", "b", "c"]


async def test_a_step_is_told_the_time_of_the_clock() -> None:
    machine, clock = Echo(), ManualClock()
    driver = driver_of(machine, clock=clock)
    running = asyncio.create_task(driver.run())
    driver.post("a", Source.PEER)
    await settle()
    await clock.advance(2.5)
    driver.post("b", Source.PEER)
    driver.stop()
    await running
    assert machine.seen == [("a", 0.0), ("b", 2.5)]


async def test_effects_start_in_order_and_their_answers_become_events() -> None:
    started: list[str] = []

    async def perform(effect: str) -> str | None:
        started.append(effect)
        return None if effect == "quiet" else f"{effect} done"

    machine = Echo({"go": ["x", "quiet", "y"], "y done": ["last"]})
    driver = driver_of(machine, perform)
    running = asyncio.create_task(driver.run())
    driver.post("go", Source.PEER)
    await settle()
    driver.stop()
    await running
    assert started == ["x", "quiet", "y", "last"]
    assert machine.events == ["go", "x done", "y done", "last done"]


async def test_an_effect_that_waits_holds_up_nobody() -> None:
    gate = asyncio.Event()

    async def perform(effect: str) -> str | None:
        if effect == "slow":
            await gate.wait()
        return f"{effect} done"

    machine = Echo({"go": ["slow", "quick"]})
    driver = driver_of(machine, perform)
    running = asyncio.create_task(driver.run())
    driver.post("go", Source.PEER)
    await settle()
    assert machine.events == ["go", "quick done"]
    gate.set()
    await settle()
    assert machine.events == ["go", "quick done", "slow done"]
    driver.stop()
    await running


async def test_a_shell_that_raises_ends_the_driver_with_its_error() -> None:
    async def perform(effect: str) -> str | None:
        raise ValueError("a shell must answer")

    driver = driver_of(Echo({"go": ["x"]}), perform)
    driver.post("go", Source.PEER)
    with pytest.raises(ValueError, match="a shell must answer"):
        await driver.run()


async def test_running_effects_are_cancelled_in_order_when_the_driver_ends() -> None:
    ended: list[str] = []

    async def perform(effect: str) -> str | None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(effect)
        return None

    effects = [f"effect {number}" for number in range(20)]
    driver = driver_of(Echo({"go": effects}), perform)
    running = asyncio.create_task(driver.run())
    driver.post("go", Source.PEER)
    await settle()
    driver.stop()
    await running
    assert ended == effects


async def test_a_cancelled_driver_leaves_no_task_behind() -> None:
    async def perform(effect: str) -> str | None:
        await asyncio.Event().wait()
        return None

    driver = driver_of(Echo({"go": ["x", "y"]}), perform)
    before = asyncio.all_tasks()
    running = asyncio.create_task(driver.run())
    driver.post("go", Source.PEER)
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == before


async def test_a_machine_is_validated_after_every_step_when_asked() -> None:
    machine = Echo()
    driver = driver_of(machine, validate=True)
    for event in ("a", "b", "wrong"):
        driver.post(event, Source.PEER)
    with pytest.raises(AssertionError, match="something wrong was told"):
        await driver.run()
    assert machine.validated == 3


async def test_every_step_is_in_the_journal_with_its_cause() -> None:
    async def perform(effect: str) -> str | None:
        return f"{effect} done" if effect == "y" else None

    journal = Journal()
    driver = driver_of(Echo({"go": ["x", "y"]}), perform, journal=journal)
    running = asyncio.create_task(driver.run())
    driver.post("go", Source.PEER)
    driver.post("on", Source.CLOCK)
    await settle()
    driver.stop()
    await running
    assert [(step.number, step.cause, step.event, step.effects) for step in journal.steps()] == [
        (1, Source.PEER, "go", ("x", "y")),
        (2, Source.CLOCK, "on", ()),
        (3, AnswerTo(1, 1), "y done", ()),
    ]
