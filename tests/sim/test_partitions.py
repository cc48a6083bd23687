"""Partitions come and go while rows are written, replaced and deleted in them, on virtual time."""

from dataclasses import replace

import pytest

from headrace.sim.plan import plan_of
from headrace.sim.run import Result, run_seed

SEEDS = range(8)


def run_parted(seed: int) -> Result:
    plan = plan_of(seed)
    return run_seed(seed, replace(plan, workload=replace(plan.workload, partitions=2)))


@pytest.mark.parametrize("seed", SEEDS)
def test_partitions_break_no_invariant(seed: int) -> None:
    result = run_parted(seed)
    assert not result.violation, result.violation
    assert result.acknowledged
