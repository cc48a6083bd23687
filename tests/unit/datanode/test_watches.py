"""An epoch starts once."""

from headrace.datanode.watches import Verdict, Watches


def test_an_epoch_starts_once_and_only_above_all_others() -> None:
    watches = Watches()
    assert watches.judge("v", 2, None) is Verdict.STARTS
    assert watches.judge("v", 2, 2) is Verdict.RUNS
    assert watches.judge("v", 2, None) is Verdict.REFUSED
    assert watches.judge("v", 1, 2) is Verdict.REFUSED
    assert watches.judge("v", 3, 2) is Verdict.STARTS
    assert watches.judge("w", 1, None) is Verdict.STARTS


def test_a_release_ends_an_epoch_that_was_not_seen_yet() -> None:
    watches = Watches()
    watches.released("v", 4)
    assert watches.judge("v", 4, None) is Verdict.REFUSED
    assert watches.judge("v", 5, None) is Verdict.STARTS
    watches.released("v", 1)
    assert watches.judge("v", 5, 5) is Verdict.RUNS
