"""Trying again: how long to wait, when to stop hammering, and the loop that does both.

There is no limit on the number of tries: what must not be lost is repeated until it is done or its
task is cancelled.

Pauses are jittered downwards (between half and all of the pause), so that those who failed together
do not come back together. Chance comes from `Host.random`: a seed repeats a run.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from headrace.model.errors import Unavailable
from headrace.runtime.host import Host

T = TypeVar("T")
JITTER = 0.5  # of the pause, taken off by chance


@dataclass(frozen=True, slots=True)
class Pauses:
    """How pauses grow: from the first, by the factor, up to the most."""

    first_s: float = 0.05
    most_s: float = 5.0
    factor: float = 2.0

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, 0.0 after none. A machine says so much;
        its shell takes the jitter off (`jittered`)."""
        if failures <= 0:
            return 0.0
        return min(self.first_s * self.factor ** min(failures - 1, 60), self.most_s)


def jittered(pause_s: float, host: Host) -> float:
    """The pause, less up to half of it by chance."""
    return pause_s * (1.0 - JITTER * host.random.random())


class Backoff:
    """The pauses of one series of failures. `reset` when something went well."""

    def __init__(self, host: Host, pauses: Pauses | None = None) -> None:
        self._host = host
        self._pauses = pauses or Pauses()
        self._failures = 0

    def next_s(self) -> float:
        """How many seconds to wait before the next try; grows with each call."""
        self._failures += 1
        return jittered(self._pauses.after(self._failures), self._host)

    def reset(self) -> None:
        """Begin with the shortest pause again."""
        self._failures = 0


class CircuitBreaker:
    """Keeps many callers from hammering what has failed several times in a row.

    closed -> open after `failures` failures in a row; open -> half open after `open_s`: one try is
    let through, its success closes the breaker, its failure opens it for `open_s` again. Holds no
    clock: `now` is monotonic seconds, so machines may own one.
    """

    def __init__(self, failures: int = 5, open_s: float = 2.0) -> None:
        assert failures > 0 and open_s > 0
        self._failures = failures
        self._open_s = open_s
        self._failed = 0
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether callers are being held back."""
        return self._open_until is not None

    def admit(self, now: float) -> float:
        """0.0 = try now; otherwise how many seconds to wait before asking again.

        Once it was open, each 0.0 makes all others wait `open_s` for the outcome of that one try,
        so a try that never ends holds nobody up for ever.
        """
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        self._open_until = now + self._open_s
        return 0.0

    def succeeded(self) -> None:
        """A try went well: closed."""
        self._failed = 0
        self._open_until = None

    def failed(self, now: float) -> None:
        """A try failed."""
        self._failed += 1
        if self._failed >= self._failures:
            self._open_until = now + self._open_s


async def retry(
    work: Callable[[], Awaitable[T]],
    host: Host,
    *,
    pauses: Pauses | None = None,
    breaker: CircuitBreaker | None = None,
    errors: tuple[type[Exception], ...] = (Unavailable,),
    on_failure: Callable[[Exception], None] | None = None,
    timeout_s: float | None = None,
) -> T:
    """The result of `work()`, called again after each of `errors` until it succeeds.

    `work` must be safe to repeat. Other errors pass through at once. `on_failure` sees each error
    that leads to another try. With `timeout_s` the last error is raised once the next try would
    begin later than that after the first; a try under way is never cut short.
    """
    backoff = Backoff(host, pauses)
    deadline = None if timeout_s is None else host.clock.monotonic() + timeout_s
    while True:
        while breaker is not None and (hold_s := breaker.admit(host.clock.monotonic())) > 0:
            await host.clock.sleep(hold_s)
        try:
            result = await work()
        except errors as error:
            now = host.clock.monotonic()
            if breaker is not None:
                breaker.failed(now)
            pause = backoff.next_s()
            if deadline is not None and now + pause > deadline:
                raise
            if on_failure is not None:
                on_failure(error)
        else:
            if breaker is not None:
                breaker.succeeded()
            return result
        await host.clock.sleep(pause)
