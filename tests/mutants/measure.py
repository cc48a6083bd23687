"""Runs mutants and writes what killed them: `python -m mutants.measure [RULE ...]` in `tests`.

Seeds are counted from 0. The build with the rule in force is run at the seed that killed: it must
show nothing. The results stand in `killed.json`, of which `make docs` makes a page.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict

from support.repo import ROOT

from mutants.catalog import BY_RULE, KILLED, recorded
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


def keep(rule: str, result: dict[str, object]) -> None:
    """Write one result, in the order of the catalog."""
    results = recorded() | {rule: result}
    ordered = {name: results[name] for name in BY_RULE if name in results}
    KILLED.write_text(json.dumps(ordered, indent=1) + "\n")


def measure(mutants: list[Mutant], *options: str) -> int:
    """Run these; how many were not killed by what was expected, or not by that alone."""
    bad = 0
    runs = Runs(mutants, *options)
    for mutant in mutants:
        found = runs.found(mutant.rule)
        print(f"{mutant.rule}: {found.killed_by or 'LIVES'} {found.seeds} {found.text[:300]}")
        bad += not found.killed_by
        if found.killed_by:
            keep(mutant.rule, {"place": mutant.edits[0].place(), **asdict(found)})
    runs.close()
    killed = [m for m in mutants if m.rule in recorded()]
    healthy = Runs(killed, "--healthy")
    for mutant in killed:
        found = healthy.found(mutant.rule)
        if found.killed_by or found.text:
            print(f"{mutant.rule}: with the rule in force, too: {found.text}")
            bad += 1
    healthy.close()
    return bad


if __name__ == "__main__":
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    names = [a for a in sys.argv[1:] if a not in options]
    first = [] if "--near" in options else ["--first", "0"]
    sys.exit(measure([BY_RULE[n] for n in names or BY_RULE], *first) > 0)
