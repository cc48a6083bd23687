"""A small explicit-state model checker: breadth-first, so the first violation has a shortest trace.

A model is any object with
  start()       the initial state, any hashable value
  steps(state)  yields (label, next state) for every action that may happen now
  always        invariants of a state:  check(model, state) -> bool
  each_step     invariants of a step:   check(model, before, label, after) -> bool
  goal(state)   whether all work is done; it must be in reach of every state (LIVE)
An invariant is named by its docstring's first word ("CP-1", "DL-2").

**Owns** the search, its shortest trace, the table that it prints. **Does not own** any model.
"""

import sys
import time
from collections import deque
from typing import Any, NamedTuple


class Result(NamedTuple):
    states: int
    seconds: float
    broken: str = ""  # the invariants that do not hold
    trace: tuple = ()  # the labels of the steps that lead there


def explore(model, live: bool = True, limit: int = 1_000_000) -> Result:
    """Visit every reachable state once; stop at the first that breaks an invariant."""
    began = time.perf_counter()
    first = model.start()
    came_from: dict[Any, tuple] = {first: (None, "")}
    leads_here: dict[Any, list] = {first: []}
    queue = deque([first])

    def result(broken="", state=None, last=()) -> Result:
        trace = (*trace_to(state, came_from), *last)
        return Result(len(came_from), time.perf_counter() - began, broken, trace)

    if broken := failed(model.always, model, first):
        return result(broken)
    while queue:
        state = queue.popleft()
        for label, after in model.steps(state):
            broken = failed(model.each_step, model, state, label, after)
            if after not in came_from:
                broken = " ".join(filter(None, (broken, failed(model.always, model, after))))
                came_from[after] = (state, label)
                leads_here[after] = []
                queue.append(after)
            if broken:
                return result(broken, state, (label,))
            if live:
                leads_here[after].append(state)
        if len(came_from) > limit:
            raise MemoryError(f"more than {limit} states")
    if live and (state := first_that_cannot_finish(model, came_from, leads_here)):
        return result("LIVE", state)
    return result()


def failed(invariants, *args) -> str:
    return " ".join(i.__doc__.split()[0] for i in invariants if not i(*args))


def first_that_cannot_finish(model, came_from, leads_here):
    """The nearest state from which no goal can be reached any more, or None."""
    can = {state for state in came_from if model.goal(state)}
    queue = deque(can)
    while queue:
        for before in leads_here[queue.popleft()]:
            if before not in can:
                can.add(before)
                queue.append(before)
    return next((state for state in came_from if state not in can), None)


def trace_to(state, came_from) -> list:
    labels = []
    while state is not None:
        state, label = came_from[state]
        labels.append(label)
    return labels[-2::-1]


def main(baselines: dict, mutants: dict) -> int:
    """Run all and print a table, or with --mutant NAME one with its trace; the exit status."""
    if "--mutant" in sys.argv:
        rule = sys.argv[sys.argv.index("--mutant") + 1]
        for number, label in enumerate(show(rule, mutants[rule]()).trace, 1):
            print(f"{number:4}. {label}")
        return 0
    bad = sum(bool(show(name, make()).broken) for name, make in baselines.items())
    print("without the rule", flush=True)
    bad += sum(not show(rule, make()).broken for rule, make in mutants.items())
    return int(bad > 0)


def show(name: str, model) -> Result:
    r = explore(model)
    end = f"{r.broken}, {len(r.trace)} steps" if r.broken else "clean"
    print(f"{name:58} {r.states:8} states {r.seconds:6.1f} s  {end}", flush=True)
    return r
