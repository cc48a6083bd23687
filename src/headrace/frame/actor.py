"""A machine that runs: its driver, its journal, and the callers who wait for its answers.

**Owns** how a request becomes an event and how its caller gets the answer. **Does not own** any
decision (the machine) or how effects are carried out (the shell).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Never, TypeVar

from headrace.frame.surroundings import Surroundings
from headrace.model.errors import Fenced, HeadraceError, Unavailable
from headrace.rpc.api import Handler
from headrace.runtime.callers import Callers
from headrace.runtime.driver import Driver, Machine, Source
from headrace.runtime.host import Clock
from headrace.runtime.journal.steps import Journal

M = TypeVar("M", bound=Machine[Any, Any])
Ev = TypeVar("Ev")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ask(Generic[R, Ev]):
    """A request that the machine answers: its class, and the event made of call and request."""

    request: type[R]
    event: Callable[[int, R], Ev]
    not_leading: type[HeadraceError] = Fenced  # what a process that does not lead answers


class Actor(Generic[M, Ev]):
    """Of one machine. Events may be posted before it runs; they wait.

    `ended` is the kind of error that callers get who are not answered before the end: `Unavailable`
    says that the outcome is not known, `Fenced` that another process is to be asked.
    """

    def __init__(
        self,
        name: str,
        machine: M,
        perform: Callable[[Any], Awaitable[Ev | None]],
        around: Surroundings[Any],
        *,
        callers: Callers,
        journal: Journal,
        ended: type[HeadraceError] = Unavailable,
    ) -> None:
        self.name = name
        self.machine = machine
        self.journal = journal
        self.over = ""  # why it has ended
        self._callers = callers
        self._ended = ended
        self._driver: Driver[Ev, Any] = Driver(
            machine,
            perform,
            around.host.clock,
            name=name,
            journal=journal.record,
            validate=around.validate,
        )
        self.post = self._driver.post

    async def ask(self, make: Callable[[int], Ev], source: Source = Source.PEER) -> Any:
        """Post the event of a new call and wait for its answer, or raise it if it is an error."""
        if self.over:
            raise self._ended(self.over)
        return await self._callers.ask(self.post, make, source)

    def handler(self, ask: Ask[Any, Ev]) -> Handler:
        return lambda request: self.ask(lambda call: ask.event(call, request))

    def end(self, reason: str) -> None:
        """Handle the events that are here, then return from `run`."""
        self.over = self.over or reason
        self._driver.stop()

    async def run(self) -> str:
        """Run until `end`; why it ended. By then every caller has an answer."""
        try:
            with self.journal.told_on_assertion(self.name):
                await self._driver.run()
        finally:
            self.over = self.over or f"{self.name} has ended"
            self._callers.refuse_all(self._ended(self.over))
        return self.over


async def every(clock: Clock, seconds: float, work: Callable[[], None]) -> Never:
    """Do it again and again, first after `seconds`."""
    while True:
        await clock.sleep(seconds)
        work()
