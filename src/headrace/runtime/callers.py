"""Who waits for what a machine answers, by the number of the call."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from headrace.model.errors import HeadraceError
from headrace.runtime.driver import Cause, Source

E = TypeVar("E")


class Callers:
    """Of one driver, or of several that share the numbers."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0

    async def ask(
        self,
        post: Callable[[E, Cause], None],
        make: Callable[[int], E],
        source: Source = Source.PEER,
    ) -> Any:
        """Post the event of a new call and wait; an answer that is an error is raised."""
        call, future = self.open()
        try:
            post(make(call), source)
            return await future
        finally:
            self._waiting.pop(call, None)

    def open(self) -> tuple[int, "asyncio.Future[Any]"]:
        """A new call and the future of its answer."""
        self._last += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._last] = future
        return self._last, future

    def answer(self, call: int, outcome: Any) -> None:
        """Tell the caller, with an error as an exception; who has gone is not told."""
        future = self._waiting.pop(call, None)
        if future is None or future.done():
            return
        if isinstance(outcome, HeadraceError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def refuse_all(self, error: HeadraceError) -> None:
        """Nobody will be answered any more."""
        for call in list(self._waiting):
            self.answer(call, error)
