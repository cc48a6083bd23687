"""Named places in the code at which a test has this process killed or frozen.

**Owns** the port, the form that does nothing and the one that signals its own process. **Does not
own** the names (each role's shell says them where it reaches them) or who wires which form (`app`).

A kill at a random moment seldom hits the few microseconds between a transaction and its answer.
So shells say `crash.reach("sequencer.group.stands")` at such moments; production wires
`NoCrashPoints`, tests with real processes `CrashAt`, the simulator its own form.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from headrace.model.errors import Invalid


class CrashPoints(Protocol):
    """Told of every named place that is reached."""

    def reach(self, name: str) -> None:
        """This place was reached; does not return where the process is to be killed here."""
        ...


class NoCrashPoints:
    """Goes on, always."""

    def reach(self, name: str) -> None:
        """See `CrashPoints`."""


class CrashAction(StrEnum):
    """What happens at the place."""

    KILL = "kill"
    FREEZE = "freeze"  # until it gets SIGCONT


@dataclass(frozen=True, slots=True)
class CrashSpec:
    """Which place, at which time of reaching it (from 1), and what happens there."""

    name: str
    times: int = 1
    action: CrashAction = CrashAction.KILL


def parse_crash_spec(text: str) -> CrashSpec:
    """`NAME[:TIMES][:kill|freeze]`; `Invalid` when it is none."""
    name, *rest = text.split(":")
    times = int(rest.pop(0)) if rest and rest[0].isdecimal() else 1
    action = rest.pop(0) if rest else CrashAction.KILL
    if not name or times < 1 or rest or action not in tuple(CrashAction):
        raise Invalid(f"{text!r} is not NAME[:TIMES][:kill|freeze]", field="crash_at")
    return CrashSpec(name, times, CrashAction(action))


def signal_own_process(action: CrashAction) -> None:
    """SIGKILL or SIGSTOP to this process: no handler runs, nothing is flushed."""
    number = signal.SIGKILL if action is CrashAction.KILL else signal.SIGSTOP
    os.kill(os.getpid(), number)


class CrashAt:
    """Does what the spec says when its place is reached for that time, once."""

    def __init__(
        self, spec: CrashSpec, act: Callable[[CrashAction], None] = signal_own_process
    ) -> None:
        self._spec = spec
        self._act = act
        self._reached = 0

    def reach(self, name: str) -> None:
        """See `CrashPoints`."""
        if name == self._spec.name:
            self._reached += 1
            if self._reached == self._spec.times:
                self._act(self._spec.action)
