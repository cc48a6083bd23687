"""The child process of a mutant: `python -m mutants.child RULE [--seeds N] [--healthy]`.

Prints one line of JSON: what was found, and after how many seeds. The first seed is the one that
showed it when `measure` ran. With `--healthy` nothing is edited, and only that seed (or the scene)
runs: it shows that the rule's absence was noticed and nothing else.
"""

import argparse
import importlib
import json
import re
from dataclasses import asdict, dataclass

from mutants.catalog import BY_RULE, recorded
from mutants.edits import Mutant, install

ID = re.compile(r"(?:^|AssertionError\(['\"])(LIVE|[A-Z]{2}-\d+) ")


@dataclass(frozen=True, slots=True)
class Found:
    """What one mutant showed. `killed_by` is empty when nothing named it."""

    killed_by: str
    text: str = ""
    seed: int | None = None
    seeds: int = 0


def killer(mutant: Mutant, text: str) -> str:
    """Which of the expected killers this text names, "" for none."""
    found = ID.search(text)
    for name in mutant.killers:
        if (found is not None and found[1] == name) or (" " in name and name in text):
            return name
    return ""


def run_seeds(mutant: Mutant, first: int, seeds: int) -> Found:
    """Seeds from the first one on, until one names a killer."""
    from headrace.sim.run import run_seed
    from mutants.weather import plan_for

    others = []
    for n in range(seeds):
        seed = (first + n) % max(seeds, first + 1)
        text = run_seed(seed, plan_for(mutant.weather, seed)).violation
        if name := killer(mutant, text):
            return Found(name, text, seed, n + 1)
        if text:
            others.append(f"seed {seed}: {text}")
    return Found("", "; ".join(others[:3]), seeds=seeds)


def run_scene(mutant: Mutant) -> Found:
    """The scene: each of its runs says what it noticed."""
    module, function = mutant.scene.split(":")
    scene = getattr(importlib.import_module(f"mutants.{module}"), function)
    others = []
    for number, text in enumerate(scene(), 1):
        if name := killer(mutant, text):
            return Found(name, text, seeds=number)
        if text:
            others.append(text)
    return Found("", "; ".join(others[:3]))


def main() -> None:
    """Run one mutant and print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rule")
    parser.add_argument("--first", type=int)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--healthy", action="store_true")
    asked = parser.parse_args()
    mutant = BY_RULE[asked.rule]
    if not asked.healthy:
        install(mutant)
    if mutant.scene:
        found = run_scene(mutant)
    else:
        first = recorded().get(mutant.rule, {}).get("seed") or 0
        first = first if asked.first is None else asked.first
        found = run_seeds(mutant, first, 1 if asked.healthy else asked.seeds)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
