"""Crash points from the environment, for tests with real processes.

**Owns** the variable `HEADRACE_CRASH_AT=NAME[:TIMES][:kill|freeze]`. **Does not own** the points
and what happens at them (`runtime.crashpoints`).
"""

from collections.abc import Mapping

from headrace.runtime.crashpoints import CrashAt, CrashPoints, NoCrashPoints, parse_crash_spec

VARIABLE = "HEADRACE_CRASH_AT"


def crash_points_from(environment: Mapping[str, str]) -> CrashPoints:
    """What this process was told; nothing happens when it was told nothing."""
    text = environment.get(VARIABLE, "")
    return CrashAt(parse_crash_spec(text)) if text else NoCrashPoints()
