"""Runs of chance on the node side: with all rules in force nothing is lost and nothing doubled."""

from support.chaos.datanode import run

SEEDS = 60


def test_nothing_is_lost_or_doubled() -> None:
    for seed in range(SEEDS):
        assert not run(seed), seed
