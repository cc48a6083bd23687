"""A pytest plugin that shares the modules of a run among several pytest processes.

Every process collects the same modules in the same order and takes one after the other, each from
its end of the list. The first process takes the modules that start real servers, then helps with
the rest; the others take only what computes. So no two clusters compete for the machine, a test
that measures time has no second one beside it, and both cores are busy until the end.

What was taken stands in a file as one line of numbers, read and written under a lock. A module is
never divided: its fixtures are made once.
"""

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

REAL = (  # a module that names one of these has real processes around it
    "headrace.app.servers",
    "support.processes",
    "support.servers",
    "support.world.open_door",
    "multiprocessing",
    "subprocess",
)
# What computes longest, with processes of its own: begun first, else the run ends on one core.
LONGEST = ("tests/sim/", "tests/mutants/", "tests/fuzz/", "tests/model/", "tests/unit/reader/")


@dataclass(frozen=True, slots=True)
class Part:
    """The tests of one module."""

    name: str
    items: list[pytest.Item]
    real: bool


def parts_of(items: list[pytest.Item]) -> list[Part]:
    """The modules in the order in which they are taken: real ones, short ones, the longest."""
    parts = []
    for path, group in groupby(items, lambda item: item.path):
        tests = list(group)
        name = tests[0].nodeid.partition("::")[0]
        parts.append(Part(name, tests, any(word in path.read_text() for word in REAL)))
    return sorted(parts, key=_rank)  # stable: the tree's order among equals


def _rank(part: Part) -> int:
    if part.name.startswith(LONGEST):
        return (
            len(LONGEST)
            + 1
            - next(i for i, name in enumerate(LONGEST) if part.name.startswith(name))
        )
    return 0 if part.real else 1


class Share:
    """One process's share: `first` takes from the front, the others from the back."""

    def __init__(self, taken: Path, told: Path, *, first: bool) -> None:
        self._taken = taken
        self._told = told
        self._first = first
        self._counts = {"passed": 0, "failed": 0, "error": 0}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run what this process gets, a module at a time, until nothing is left or one ends it."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        tests = self._items(parts_of(session.items))
        item = next(tests, None)
        while item is not None:
            after = next(tests, None)  # taken before the last test of a module ends, so that
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)  # servers stay
            if session.shouldfail or session.shouldstop:
                raise session.Failed(session.shouldfail or session.shouldstop)
            item = after
        return True

    def _items(self, parts: list[Part]) -> Iterator[pytest.Item]:
        while (part := self._take(parts)) is not None:
            yield from part.items

    def _take(self, parts: list[Part]) -> Part | None:
        with self._taken.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            taken = set(json.loads(file.read() or "[]"))
            free = [
                n for n, p in enumerate(parts) if n not in taken and (self._first or not p.real)
            ]
            if not free:
                return None
            found = free[0] if self._first else free[-1]
            file.seek(0)
            file.write(json.dumps(sorted(taken | {found})))
            return parts[found]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count as pytest's last line does."""
        if report.when == "call":
            self._counts["passed" if report.passed else "failed"] += 1
        elif report.failed:
            self._counts["error"] += 1

    def pytest_sessionfinish(self) -> None:
        """Leave the counts to the process that started this one."""
        self._told.write_text(json.dumps(self._counts))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that `support.side_by_side.run` gives."""
    parser.addoption("--share-taken", type=Path, default=None)
    parser.addoption("--share-told", type=Path, default=None)
    parser.addoption("--share-first", action="store_true")


def pytest_configure(config: pytest.Config) -> None:
    """Share only when told to."""
    options = config.option
    if options.share_taken is not None:
        share = Share(options.share_taken, options.share_told, first=options.share_first)
        config.pluginmanager.register(share, "share")
