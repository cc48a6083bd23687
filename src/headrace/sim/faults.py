"""Faults: what goes wrong on the way between a simulated process and the outside world.

Every delay is drawn here, so a seed fixes the order of everything. `Weather` is calmed towards the
end of a run, so that what must finish can be seen to finish.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.meta.memory import MetaCall
from headrace.model.errors import Unavailable
from headrace.objects.memory import StoreFault
from headrace.rpc.memory import Call
from headrace.sim.loop import context_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How likely each fault is, per call; delays in seconds."""

    meta_lost_request: float = 0.01
    meta_lost_answer: float = 0.01
    log_refused: float = 0.01
    log_lost_answer: float = 0.02
    log_late_append: float = 0.02
    log_absent: float = 0.05  # of `get` for what is there
    put_failed: float = 0.02
    put_lost_answer: float = 0.02
    rpc_lost_request: float = 0.01
    rpc_lost_answer: float = 0.01
    rpc_doubled: float = 0.02
    slow: float = 0.05  # a delay is drawn from `slow_s` instead of `quick_s`
    killed_at_point: float = 0.02  # at each named place of the code that is reached
    quick_s: float = 0.004
    slow_s: float = 1.5


class Weather:
    """The one source of chance for everything between processes."""

    def __init__(self, chance: random.Random, chances: Chances) -> None:
        self.random = chance
        self.chances = chances
        self.is_calm = False  # nothing goes wrong by itself any more

    def happens(self, probability: float) -> bool:
        """Draw. Nothing is drawn for what cannot happen."""
        return not self.is_calm and probability > 0 and self.random.random() < probability

    def delay_s(self) -> float:
        """How long one way takes."""
        slow = self.happens(self.chances.slow)
        return self.random.uniform(0, self.chances.slow_s if slow else self.chances.quick_s)

    async def way(self) -> None:
        await asyncio.sleep(self.delay_s())


@dataclass(frozen=True, slots=True)
class MetaFaults:
    """A process's way to the meta store: a `CallHook`."""

    weather: Weather

    async def before(self, call: MetaCall) -> None:
        await self.weather.way()
        if self.weather.happens(self.weather.chances.meta_lost_request):
            raise Unavailable(f"{call.method}: the meta store did not answer")

    async def after(self, call: MetaCall) -> None:
        await self.weather.way()
        if self.weather.happens(self.weather.chances.meta_lost_answer):
            raise Unavailable(f"{call.method}: the answer of the meta store was lost")


@dataclass(frozen=True, slots=True)
class LogFaults:
    """A process's way to the log: a `log.memory.Courier`."""

    weather: Weather

    async def carry(self, operation: str, pchannel: str, apply: Callable[[], T]) -> T:
        weather, chances = self.weather, self.weather.chances
        await weather.way()
        if weather.happens(chances.log_refused):
            raise Unavailable(f"{operation}: the log did not answer")
        if operation == "append" and weather.happens(chances.log_late_append):
            self._later(apply)
            raise Unavailable("append: sent, and nothing heard")
        if operation == "get" and weather.happens(chances.log_absent):
            return None  # type: ignore[return-value]
        answer = apply()
        await weather.way()
        if weather.happens(chances.log_lost_answer):
            raise Unavailable(f"{operation}: the answer of the log was lost")
        return answer

    def _later(self, apply: Callable[[], object]) -> None:
        """The bytes are in a socket: they arrive whatever becomes of the sender."""

        def arrive() -> None:
            try:
                apply()
            except Exception:  # noqa: BLE001 - a refusal nobody waits for
                return

        seconds = self.weather.random.uniform(0, 8)
        asyncio.get_running_loop().call_later(seconds, arrive, context=context_of(None))

    async def pause(self) -> None:
        await asyncio.sleep(0.1)


@dataclass(frozen=True, slots=True)
class RpcFaults:
    """The network between processes: a `rpc.memory.Faults`."""

    weather: Weather

    def request_delays(self, call: Call) -> Sequence[float]:
        weather, chances = self.weather, self.weather.chances
        if weather.happens(chances.rpc_lost_request):
            return ()
        first = weather.delay_s()
        if weather.happens(chances.rpc_doubled):
            return (first, first + weather.random.uniform(0, 6))
        return (first,)

    def response_delay(self, call: Call) -> float | None:
        if self.weather.happens(self.weather.chances.rpc_lost_answer):
            return None
        return self.weather.delay_s()


@dataclass(frozen=True, slots=True)
class ObjectFaults:
    """A process's way to the object store: a `objects.memory.StoreFaultHook`."""

    weather: Weather

    def __call__(self, operation: str, key: str) -> StoreFault:
        weather, chances = self.weather, self.weather.chances
        there, back = weather.delay_s(), weather.delay_s()
        if operation == "put" and weather.happens(chances.put_failed):
            if weather.happens(0.5):
                return StoreFault(delay_s=there, answer_delay_s=back, unsent=True)
            late_s = weather.random.uniform(0, 8)
            return StoreFault(delay_s=there, answer_delay_s=back, late_s=late_s)
        lost = operation == "put" and weather.happens(chances.put_lost_answer)
        return StoreFault(delay_s=there, answer_delay_s=back, lost=lost)
