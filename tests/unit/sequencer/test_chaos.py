"""Runs of chance: what the protocol promises holds."""

import pytest
from support.chaos.sequencer import Chaos


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
