"""The driver: feeds events to a machine, runs its effects, brings back their events.

The driver's duties, which a machine may rely on:
1. `step` is called for one event at a time, with the monotonic time in seconds, never re-entrantly.
2. Effects of one step start in their order, each as one coroutine of its own. A shell that raises
   is wrong: the driver stops with its error.
3. A coroutine returns the one event in which its effect ends, failure included, or None where the
   machine need not hear of the end (e.g. the answer to a caller).
4. Events are handled in the order in which they arrive.
5. Every event carries its cause: the effect that it answers, or where it came from.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeAlias, TypeVar

from headrace.runtime.host import Clock

Ev = TypeVar("Ev")
Fx = TypeVar("Fx")
Ev_contra = TypeVar("Ev_contra", contravariant=True)
Fx_co = TypeVar("Fx_co", covariant=True)


class Source(StrEnum):
    """Where an event comes from that answers no effect."""

    PEER = "peer"  # a request of another process, or of another role in this one
    WATCH = "watch"  # the meta store, which is followed
    CLOCK = "clock"  # time passed, or something that is measured now and then
    SESSION = "session"  # a lease or a leadership began or ended
    PROCESS = "process"  # this process starts or stops


@dataclass(frozen=True, slots=True)
class AnswerTo:
    """The event answers an effect: which step ordered it, and as which of its effects."""

    step: int
    effect: int  # from 0

    def __str__(self) -> str:
        return f"effect {self.effect} of step {self.step}"


Cause: TypeAlias = Source | AnswerTo


class Machine(Protocol[Ev_contra, Fx_co]):
    """A role's decisions, synchronous: no I/O, no clock, no randomness, no asyncio inside."""

    def step(self, event: Ev_contra, now: float) -> Sequence[Fx_co]:
        """What happened (a fact, past tense) and when (monotonic seconds) -> orders."""
        ...

    def validate(self) -> None:
        """Assert the machine's invariants; called after every step in tests and simulation."""
        ...


class Driver(Generic[Ev, Fx]):
    """Runs one machine. `post` from anywhere in the loop; `run` until cancelled or `stop`."""

    def __init__(
        self,
        machine: Machine[Ev, Fx],
        perform: Callable[[Fx], Awaitable[Ev | None]],
        clock: Clock,
        *,
        name: str,
        journal: Callable[[int, float, Cause, Ev, Sequence[Fx]], None] | None = None,
        validate: bool = False,
    ) -> None:
        self._machine = machine
        self._perform = perform
        self._clock = clock
        self._name = name
        self._journal = journal
        self._validate = validate
        self._events: deque[tuple[Ev, Cause]] = deque()
        self._count = 0  # steps
        self._wake = asyncio.Event()
        self._tasks: dict[asyncio.Task[None], None] = {}  # cancelled in a fixed order
        self._failure: BaseException | None = None
        self._stopped = False

    def post(self, event: Ev, cause: Cause) -> None:
        """Hand an event over; it is handled after all that came before it."""
        self._events.append((event, cause))
        self._wake.set()

    def stop(self) -> None:
        """End `run` after the events that are already here."""
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        """Handle events until stopped; running effects are cancelled on the way out.

        Raises what a shell raised, which is never an error of the outside world: those are events.
        """
        try:
            while True:
                while self._events:
                    self._step(*self._events.popleft())
                if self._failure is not None:
                    raise self._failure
                if self._stopped:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _step(self, event: Ev, cause: Cause) -> None:
        self._count += 1
        now = self._clock.monotonic()
        effects = self._machine.step(event, now)
        if self._validate:
            self._machine.validate()
        if self._journal is not None:
            self._journal(self._count, now, cause, event, effects)
        for place, effect in enumerate(effects):
            name = f"{self._name}:{type(effect).__name__}"
            carrying_out = self._carry_out(effect, self._count, place)
            task = asyncio.create_task(carrying_out, name=name)
            self._tasks[task] = None
            task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _carry_out(self, effect: Fx, step: int, place: int) -> None:
        try:
            event = await self._perform(effect)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a shell must not raise
            self._failure = error
            self._wake.set()
            return
        if event is not None:
            self.post(event, AnswerTo(step, place))
