"""The simulator catches broken builds: each within 200 seeds."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest
from sim.mutants import MUTANTS, without

from headrace.sim.plan import Plan, plan_of
from headrace.sim.run import Result, run_seed

SEEDS = 200


def plan_for(rule: str, seed: int) -> Plan:
    """The seed's plan; the collector is eager where its own rule is left out."""
    plan = plan_of(seed)
    if not rule.startswith("the collector"):
        return plan
    eager = replace(plan.settings.data_service, grace_s=1.0, collect_interval_s=0.5)
    return replace(plan, settings=replace(plan.settings, data_service=eager))


def run_mutant(rule: str, seed: int) -> Result:
    with without(rule):
        return run_seed(seed, plan_for(rule, seed))


@pytest.mark.parametrize("rule", MUTANTS)
def test_a_build_without_the_rule_is_caught(rule):
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        try:
            found = pool.map(run_mutant, [rule] * SEEDS, range(SEEDS))
            caught = next((r for r in found if r.violation), None)
        finally:
            pool.shutdown(cancel_futures=True)
    assert caught is not None, f"{SEEDS} seeds did not notice"


def standing():
    """What stands now where the mutants put something else."""
    return [where.__dict__[name] for mutant in MUTANTS.values() for where, name, _ in mutant]


def test_a_rule_comes_back_in_force():
    before = standing()
    for rule in MUTANTS:
        with without(rule):
            assert standing() != before
    assert standing() == before
