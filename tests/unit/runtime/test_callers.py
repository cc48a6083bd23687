"""Callers are told what was answered, or why nothing will be."""

import asyncio
import gc
import weakref

import pytest

from headrace.model.errors import Unavailable
from headrace.runtime.callers import Callers


async def test_each_caller_gets_its_own_answer():
    callers, posted = Callers(), []
    post = lambda event, cause: posted.append(event)  # noqa: E731
    asked = [asyncio.ensure_future(callers.ask(post, lambda c: c)) for _ in range(3)]
    await asyncio.sleep(0)
    assert posted == [1, 2, 3]
    for call in (2, 3, 1):
        callers.answer(call, call * 10)
    assert await asyncio.gather(*asked) == [10, 20, 30]


async def test_an_answer_that_is_an_error_is_raised():
    callers = Callers()
    with pytest.raises(Unavailable, match="not now"):
        await callers.ask(
            lambda call, cause: callers.answer(call, Unavailable("not now")), lambda c: c
        )


async def test_when_it_ends_everybody_is_told_once():
    callers, posted = Callers(), []
    post = lambda event, cause: posted.append(event)  # noqa: E731
    asked = [asyncio.ensure_future(callers.ask(post, lambda c: c)) for _ in range(2)]
    await asyncio.sleep(0)
    callers.refuse_all(Unavailable("it has ended"))
    callers.refuse_all(Unavailable("again"))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["it has ended"] * 2


async def test_a_caller_that_has_gone_is_not_told_and_not_kept():
    kept = []

    class Seen(Callers):
        def open(self):
            call, future = super().open()
            kept.append(weakref.ref(future))
            return call, future

    callers, posted = Seen(), []
    post = lambda event, cause: posted.append(event)  # noqa: E731
    asked = asyncio.ensure_future(callers.ask(post, lambda c: c))
    await asyncio.sleep(0)
    assert kept[0]() is not None
    asked.cancel()
    await asyncio.wait([asked])
    assert asked.cancelled()
    callers.answer(posted[0], "late")
    del asked
    gc.collect()
    assert kept[0]() is None
