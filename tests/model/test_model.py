"""The model of the protocol is clean, and breaks as soon as one of its rules is left out.

The largest scenes, a minute more, are visited by `python -m model.append` and `python -m
model.store` in `tests`.
"""

import pytest

from model import append, store
from model.checker import explore

LARGE = {"a drop ends the epoch"}  # 125,000 states
SMALL = {
    append: ("3 assignments, 1 row", "master away, 1 assignment, 2 rows"),
    store: ("rows", "deletes", "upsert", "flush", "garbage", "compaction, garbage", "drop, lists"),
}


@pytest.mark.parametrize(
    ("side", "scene"), [(side, scene) for side, scenes in SMALL.items() for scene in scenes]
)
def test_no_reachable_state_breaks_an_invariant(side, scene) -> None:
    result = explore(side.BASELINES[scene]())
    assert result.broken == ""
    assert result.states > 1000


@pytest.mark.parametrize(
    ("side", "rule"),
    [(side, rule) for side in (append, store) for rule in side.MUTANTS if rule not in LARGE],
)
def test_no_rule_can_be_left_out_unnoticed(side, rule) -> None:
    assert explore(side.MUTANTS[rule]()).broken
