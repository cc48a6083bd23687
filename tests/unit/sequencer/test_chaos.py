"""Runs of chance: what the protocol promises holds, and a rule that is left out is noticed."""

from collections.abc import Callable
from typing import Any

import pytest
from support.checked_log import Violation
from support.sequencer_chaos import Chaos

from headrace.model.entry import Body
from headrace.sequencer.rules import Rules


@pytest.mark.parametrize("block", range(4))
def test_whatever_the_log_and_the_processes_do_every_request_stands_once_or_not_at_all(
    block: int,
) -> None:
    """SQ-1, TT-1, TT-2 while the master service answers, RQ-1, ID-1, SG-1, SC-1, DL-1, DD-1, and
    every request comes to its end once things are calm."""
    for seed in range(block * 100, block * 100 + 100):
        Chaos(seed, away=bool(seed % 2)).run()


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = Chaos(7).run(), Chaos(7).run()
    assert (first.log.messages, first.trace) == (second.log.messages, second.trace)


def without(**rules: Callable[..., Any]) -> Rules:
    """The rules with some of them answering otherwise."""
    methods = {name: _method(rule) for name, rule in rules.items()}
    broken: Rules = type("Broken", (Rules,), methods)()
    return broken


def _method(rule: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _, *arguments: rule(*arguments)


def padded(parts: tuple[Body, ...]) -> tuple[Body, ...]:
    return (*parts, bytes(64))


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(without(term=lambda _: 1), id="a term is the id of its TermStart"),
        pytest.param(without(may_send=lambda n: n < 2), id="one append in flight"),
        pytest.param(without(again=padded), id="repeated byte for byte"),
        pytest.param(without(absence_is_outcome=lambda: True), id="absence is no outcome"),
        pytest.param(
            without(acknowledges_when_sent=lambda: True), id="acknowledged when it stands"
        ),
        pytest.param(without(starts_again=lambda: False), id="who is wanted starts again"),
        pytest.param(without(appended_first=lambda _: []), id="what is recorded is appended first"),
        pytest.param(without(reads_window=lambda: False), id="a new sequencer reads the window"),
        pytest.param(without(grant_covers=lambda *_: True), id="asked for after it arrived"),
        pytest.param(without(is_unknown=lambda *_: False), id="below the floor: unknown"),
        pytest.param(without(repeat_waits=lambda: False), id="a repeat waits for the first"),
        pytest.param(without(looks_up_first=lambda: False), id="ids before versions"),
        pytest.param(without(is_stale=lambda *_: False), id="another version is refused"),
        pytest.param(without(refusal_waits=lambda _: False), id="a refusal waits for the DDL"),
    ],
)
def test_a_rule_that_is_left_out_is_noticed(rules: Rules) -> None:
    with pytest.raises((Violation, AssertionError)):
        for seed in range(400):
            Chaos(seed, rules, away=bool(seed % 2)).run()
