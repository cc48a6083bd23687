"""Tests that two processes share are each run once, and one that fails fails the whole run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.repo import ROOT

COMPUTES = "def test_it_{0}():\n    assert {1}\n"
REAL = '"""Has support.servers around it."""\n' + COMPUTES


@pytest.mark.parametrize(
    ("real", "computes", "last"),
    [
        (False, True, "1 failed, 4 passed"),
        (True, False, "4 failed, 1 passed"),
    ],
)
def test_the_last_line_tells_of_both_processes(
    tmp_path: Path, real: bool, computes: bool, last: str
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider")
    (tmp_path / "test_real.py").write_text(REAL.format("serves", real))
    for name in "abcd":
        (tmp_path / f"test_{name}.py").write_text(COMPUTES.format(name, computes))
    done = subprocess.run(
        [sys.executable, "-m", "support.side_by_side.run", str(tmp_path)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "tests"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # a start takes a second with all of them
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{last} in ")
