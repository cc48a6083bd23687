"""Crash points."""

import os
import signal
import subprocess
import sys

import pytest

from headrace.model.errors import Invalid
from headrace.runtime.crashpoints import (
    CrashAction,
    CrashAt,
    CrashSpec,
    NoCrashPoints,
    parse_crash_spec,
)


def test_a_spec_names_a_place_a_time_and_an_action() -> None:
    assert parse_crash_spec("a.b") == CrashSpec("a.b", 1, CrashAction.KILL)
    assert parse_crash_spec("a.b:3") == CrashSpec("a.b", 3, CrashAction.KILL)
    assert parse_crash_spec("a.b:2:freeze") == CrashSpec("a.b", 2, CrashAction.FREEZE)
    assert parse_crash_spec("a.b:freeze") == CrashSpec("a.b", 1, CrashAction.FREEZE)


@pytest.mark.parametrize("text", ["", ":1", "a:0", "a:x", "a:1:maim", "a:1:kill:x"])
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_crash_spec(text)


def test_it_acts_once_at_the_time_named() -> None:
    acted: list[CrashAction] = []
    crash = CrashAt(CrashSpec("here", 2), acted.append)
    for _ in range(4):
        crash.reach("here")
        crash.reach("there")
        acted.append(CrashAction.FREEZE)
    freeze = CrashAction.FREEZE
    assert acted == [freeze, CrashAction.KILL, freeze, freeze, freeze]


def test_without_crash_points_everything_goes_on() -> None:
    NoCrashPoints().reach("here")


def test_a_killed_process_runs_nothing_more() -> None:
    code = (
        "from headrace.runtime.crashpoints import CrashAt, parse_crash_spec\n"
        "crash = CrashAt(parse_crash_spec('here'))\n"
        "crash.reach('here')\n"
        "print('still here')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == b""
