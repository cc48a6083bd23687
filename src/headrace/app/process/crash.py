"""Crash points from the environment, for tests with real processes.

`HEADRACE_CRASH_AT=NAME[:TIMES][:kill|freeze]`, or `@PATH` of a file with such a line. A file may be
written while the process runs, so a test arms a point at the moment that it means. It is removed
before the process ends at the point, so the process that is started in its place goes on.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from headrace.runtime.crashpoints import (
    CrashAction,
    CrashAt,
    CrashPoints,
    CrashSpec,
    NoCrashPoints,
    parse_crash_spec,
    signal_own_process,
)

VARIABLE = "HEADRACE_CRASH_AT"


def crash_points_from(environment: Mapping[str, str]) -> CrashPoints:
    """What this process was told; nothing happens when it was told nothing."""
    text = environment.get(VARIABLE, "")
    if text.startswith("@"):
        return CrashAtFile(Path(text[1:]))
    return CrashAt(parse_crash_spec(text)) if text else NoCrashPoints()


class CrashAtFile:
    """`CrashPoints` by a file: does what it says once its point was reached so often since then."""

    def __init__(self, path: Path, act: Callable[[CrashAction], None] = signal_own_process) -> None:
        self._path = path
        self._act = act
        self._armed: CrashSpec | None = None
        self._reached = 0

    def reach(self, name: str) -> None:
        if not self._path.exists():
            return
        spec = parse_crash_spec(self._path.read_text().strip())
        if spec != self._armed:
            self._armed, self._reached = spec, 0
        if name == spec.name:
            self._reached += 1
            if self._reached == spec.times:
                self._armed = None
                self._path.unlink()
                self._act(spec.action)
