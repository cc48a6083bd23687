"""A machine that runs: callers get what it answers, and nobody waits for one that has ended."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.world.clock import ManualClock, settle
from support.world.edges import Edges

from headrace.frame.actor import Actor, Ask, every
from headrace.model.errors import Fenced, HeadraceError, Unavailable
from headrace.runtime.callers import Callers
from headrace.runtime.driver import Source
from headrace.runtime.journal.steps import Journal


@dataclass(frozen=True)
class Asked:
    call: int
    word: str


@dataclass(frozen=True)
class Answer:
    call: int
    word: str


@dataclass
class Echo:
    """Answers every word but "nothing"."""

    steps: list[Asked] = field(default_factory=list)

    def step(self, event: Asked, now: float) -> list[Answer]:
        self.steps.append(event)
        assert event.word != "wrong", "a word that cannot be"
        return [] if event.word == "nothing" else [Answer(event.call, event.word)]

    def validate(self) -> None:
        return


def echo(ended: type[HeadraceError] = Unavailable) -> Actor[Echo, Asked]:
    callers = Callers()

    async def perform(effect: Answer) -> Asked | None:
        callers.answer(effect.call, effect.word)
        return None

    around = Edges().process(None, "alone")
    return Actor("echo", Echo(), perform, around, callers=callers, journal=Journal(), ended=ended)


async def test_a_request_becomes_an_event_and_its_caller_gets_the_answer() -> None:
    actor = echo()
    running = asyncio.create_task(actor.run())
    handler = actor.handler(Ask(str, Asked))
    assert await handler("hello") == "hello"
    assert "hello" in actor.journal.story("hello")
    actor.end("enough")
    assert await running == "enough"


async def test_events_that_come_before_it_runs_are_handled() -> None:
    actor = echo()
    actor.post(Asked(7, "early"), Source.PROCESS)
    actor.end("enough")
    await actor.run()
    assert actor.machine.steps == [Asked(7, "early")]


@pytest.mark.parametrize("ended", [Unavailable, Fenced])
async def test_callers_learn_of_the_end_by_the_kind_of_error_that_the_role_chose(
    ended: type[HeadraceError],
) -> None:
    actor = echo(ended)
    running = asyncio.create_task(actor.run())
    waiting = asyncio.create_task(actor.ask(lambda call: Asked(call, "nothing")))
    await settle()
    actor.end("another one leads")
    with pytest.raises(ended, match="another one leads"):
        await waiting
    with pytest.raises(ended, match="another one leads"):
        await actor.ask(lambda call: Asked(call, "late"))
    await running


async def test_callers_are_refused_when_it_is_cancelled() -> None:
    actor = echo()
    running = asyncio.create_task(actor.run())
    waiting = asyncio.create_task(actor.ask(lambda call: Asked(call, "nothing")))
    await settle()
    running.cancel()
    with pytest.raises(Unavailable, match="echo has ended"):
        await waiting


async def test_a_broken_assertion_tells_the_last_steps() -> None:
    actor = echo()
    actor.post(Asked(1, "before"), Source.PROCESS)
    actor.post(Asked(2, "wrong"), Source.PROCESS)
    with pytest.raises(AssertionError, match="a word that cannot be") as broken:
        await actor.run()
    assert any("before" in note for note in broken.value.__notes__)


async def test_what_is_done_every_second_is_done_first_after_one() -> None:
    clock = ManualClock()
    times: list[Any] = []
    task = asyncio.create_task(every(clock, 1.0, lambda: times.append(clock.monotonic())))
    await clock.advance(3.5)
    task.cancel()
    assert times == [1.0, 2.0, 3.0]
