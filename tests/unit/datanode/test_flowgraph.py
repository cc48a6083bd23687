"""The rules of the node side: all in force nothing breaks, each one switched off something does."""

from types import ModuleType
from typing import Any

import pytest
from support.datanode_chaos import run

from headrace.datanode import watches
from headrace.datanode.consume import demux, replay_filter
from headrace.datanode.dispatch import route
from headrace.datanode.growing import policy
from headrace.datanode.pack import names
from headrace.datanode.persist import order
from headrace.datanode.report import checkpoint

SEEDS = 60

MUTANTS: dict[str, tuple[ModuleType, str, Any]] = {
    "rows at or below the segment's checkpoint are dropped": (
        replay_filter,
        "rows_are_new",
        lambda *_: True,
    ),
    "deletes at or below the delete checkpoint are dropped": (
        replay_filter,
        "deletes_are_new",
        lambda *_: True,
    ),
    "all at or below the seek position is behind it": (demux, "is_behind", lambda *_: False),
    "the checkpoint waits for rows": (checkpoint, "waits_for_rows", lambda _: ()),
    "the checkpoint waits for deletes": (checkpoint, "waits_for_deletes", lambda _: ()),
    "the checkpoint waits for a Seal's flush": (checkpoint, "waits_for_seals", lambda _: ()),
    "a flush waits for the Seal": (policy, "may_flush", lambda _: True),
    "TermStart seals what older terms left open": (route, "term_start_seals", lambda: False),
    "an epoch starts once": (watches, "may_start", lambda *_: True),
    "objects are stored before they are reported": (order, "is_reportable", lambda _: True),
    "keys name the epoch": (names, "named_epoch", lambda _: 0),
    "keys name a number": (names, "named_number", lambda _: 1),
}


def test_with_all_rules_nothing_is_lost_or_doubled() -> None:
    for seed in range(SEEDS):
        assert not run(seed), seed


@pytest.mark.parametrize("rule", MUTANTS)
def test_without_this_rule_something_breaks(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, otherwise = MUTANTS[rule]
    monkeypatch.setattr(module, name, otherwise)
    assert any(_breaks(seed) for seed in range(SEEDS))


def _breaks(seed: int) -> bool:
    try:
        return bool(run(seed))
    except AssertionError:
        return True
