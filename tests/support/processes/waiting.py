"""Waiting for a condition in real time, where processes are real."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 40.0


def wait_until(
    condition: Callable[[], T],
    what: str | Callable[[], str],
    within_s: float = PATIENCE_S,
    pause_s: float = 0.05,
) -> T:
    """The first value of `condition` that is true; fails naming `what` after `within_s`."""
    pause = threading.Event()
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            named = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {within_s:.0f} s: {named}")
        pause.wait(pause_s)
    return found
