"""Crash points from the environment."""

from pathlib import Path

from headrace.app.process.crash import VARIABLE, CrashAtFile, crash_points_from
from headrace.runtime.crashpoints import CrashAction, CrashAt, NoCrashPoints


def test_without_the_variable_nothing_happens() -> None:
    assert isinstance(crash_points_from({}), NoCrashPoints)


def test_the_variable_names_a_place_or_a_file(tmp_path: Path) -> None:
    assert isinstance(crash_points_from({VARIABLE: "here:2"}), CrashAt)
    assert isinstance(crash_points_from({VARIABLE: f"@{tmp_path / 'at'}"}), CrashAtFile)


def test_a_file_arms_a_place_while_the_process_runs_and_is_gone_afterwards(tmp_path: Path) -> None:
    acted: list[CrashAction] = []
    path = tmp_path / "at"
    crash = CrashAtFile(path, acted.append)
    crash.reach("here")
    path.write_text("here:2:freeze\n")
    crash.reach("there")
    crash.reach("here")
    assert (acted, path.exists()) == ([], True)
    crash.reach("here")
    assert (acted, path.exists()) == ([CrashAction.FREEZE], False)
    crash.reach("here")
    assert acted == [CrashAction.FREEZE]


def test_a_file_that_is_written_anew_counts_anew(tmp_path: Path) -> None:
    acted: list[CrashAction] = []
    path = tmp_path / "at"
    crash = CrashAtFile(path, acted.append)
    path.write_text("here:2")
    crash.reach("here")
    path.write_text("there")
    crash.reach("here")
    crash.reach("there")
    assert acted == [CrashAction.KILL]
