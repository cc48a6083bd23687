"""Imports go one way: the contracts of `pyproject.toml`, kept by import-linter."""

import subprocess
import sys
from pathlib import Path

from support.repo import ROOT


def test_the_import_contracts_are_kept(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--config", ROOT / "pyproject.toml", "--cache-dir", tmp_path],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
