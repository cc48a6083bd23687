"""Trying again: pauses, the circuit breaker, and the loop over both."""

import pytest
from support.world.clock import ManualClock, manual_host

from headrace.model.errors import Conflict, Unavailable
from headrace.runtime.retry import Backoff, CircuitBreaker, Pauses, retry


class Failing:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error or Unavailable("not yet")

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return "done"


def test_pauses_double_up_to_the_most_and_lie_between_half_and_all() -> None:
    backoff = Backoff(manual_host(ManualClock(), 1), Pauses(first_s=0.1, most_s=1.0))
    for full in (0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
        assert full / 2 <= backoff.next_s() <= full


def test_a_reset_begins_with_the_first_pause_again() -> None:
    backoff = Backoff(manual_host(ManualClock(), 1), Pauses(first_s=0.1, most_s=1.0))
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_the_same_seed_gives_the_same_pauses() -> None:
    one, two = Backoff(manual_host(ManualClock(), 7)), Backoff(manual_host(ManualClock(), 7))
    assert [one.next_s() for _ in range(9)] == [two.next_s() for _ in range(9)]


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker(failures=3, open_s=2.0)
    for _ in range(5):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert not breaker.is_open
    for _ in range(3):
        breaker.failed(10.0)
    assert breaker.is_open
    assert breaker.admit(10.5) == 1.5


def test_a_half_open_breaker_lets_one_try_through() -> None:
    breaker = CircuitBreaker(failures=1, open_s=2.0)
    breaker.failed(0.0)
    assert breaker.admit(2.0) == 0.0
    assert breaker.admit(2.0) == 2.0
    breaker.failed(2.5)
    assert breaker.admit(3.0) == 1.5
    assert breaker.admit(4.5) == 0.0
    breaker.succeeded()
    assert [breaker.admit(4.5), breaker.admit(4.5)] == [0.0, 0.0]


def test_a_probe_that_never_ends_does_not_hold_the_others_for_ever() -> None:
    breaker = CircuitBreaker(failures=1, open_s=2.0)
    breaker.failed(0.0)
    assert breaker.admit(2.0) == 0.0
    assert breaker.admit(4.0) == 0.0


async def test_retry_repeats_until_it_succeeds() -> None:
    clock = ManualClock()
    work = Failing(20)
    assert await clock.run(retry(work, manual_host(clock))) == "done"
    assert work.calls == 21
    assert 20 < clock.monotonic() < 100


async def test_retry_tells_of_each_failure_that_is_repeated() -> None:
    clock = ManualClock()
    seen: list[Exception] = []
    await clock.run(retry(Failing(3), manual_host(clock), on_failure=seen.append))
    assert [str(error) for error in seen] == ["not yet"] * 3


async def test_retry_lets_other_errors_pass() -> None:
    clock = ManualClock()
    work = Failing(1, Conflict("changed"))
    with pytest.raises(Conflict):
        await clock.run(retry(work, manual_host(clock)))
    assert work.calls == 1


async def test_retry_ends_with_the_last_error_at_its_timeout() -> None:
    clock = ManualClock()
    with pytest.raises(Unavailable):
        await clock.run(retry(Failing(1_000), manual_host(clock), timeout_s=10.0))
    assert clock.monotonic() <= 10.0


async def test_retry_waits_for_an_open_breaker() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(failures=2, open_s=30.0)
    work = Failing(2)
    assert await clock.run(retry(work, manual_host(clock), breaker=breaker)) == "done"
    assert clock.monotonic() >= 30.0
    assert not breaker.is_open
