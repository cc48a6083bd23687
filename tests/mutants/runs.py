"""Runs mutants in child processes, two at a time."""

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from support.repo import ROOT

from mutants.child import Found
from mutants.edits import Mutant

AT_ONCE = 2
TIMEOUT_S = 900.0


class Runs:
    """Children under way; `found` waits for one."""

    def __init__(self, mutants: Iterable[Mutant], *options: str) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._options = options
        self._found: dict[str, Future[Found]] = {
            m.rule: self._pool.submit(self._run, m) for m in mutants
        }

    def found(self, rule: str) -> Found:
        """What the mutant showed; raises what its child process said when it broke."""
        return self._found[rule].result()

    def close(self) -> None:
        """Begin no further child."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, mutant: Mutant) -> Found:
        child = subprocess.run(
            [sys.executable, "-m", "mutants.child", mutant.rule, *self._options],
            cwd=ROOT / "tests",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        if child.returncode:
            raise RuntimeError(f"{mutant.rule}: {child.stderr[-2000:]}")
        return Found(**json.loads(child.stdout.splitlines()[-1]))
