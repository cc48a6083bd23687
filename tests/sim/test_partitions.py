"""Partitions come and go while rows are written, replaced and deleted in them, on virtual time."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest

from headrace.binlog import delta_log
from headrace.binlog.delta_log import DeletesChunk
from headrace.sim.plan import plan_of
from headrace.sim.run import Result, run_seed

SEEDS = (1, 3, 5, 6, 8, 10, 12)  # whose clients get much done


def results() -> Iterator[Result]:
    """One collection a run, so that deletes meet rows of several partitions."""
    for seed in SEEDS:
        plan = plan_of(seed)
        clients = replace(plan.workload, partitions=2, collections=1, ddl_share=0.01)
        yield run_seed(seed, replace(plan, workload=clients))


def test_partitions_break_no_invariant() -> None:
    acknowledged = 0
    for result in results():
        assert not result.violation, f"seed {result.seed}: {result.violation}"
        acknowledged += result.acknowledged
    assert acknowledged > 15 * len(SEEDS)  # else a run shows nothing


def test_a_data_node_that_forgets_the_partition_of_a_delete_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def everywhere(keys: pa.Array, timestamp: int, partition_id: int) -> DeletesChunk:
        return DeletesChunk(keys, timestamp)

    monkeypatch.setattr(delta_log, "DeletesChunk", everywhere)
    assert any("passed deletes" in result.violation for result in results())
