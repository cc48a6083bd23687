"""When a node counts as gone."""

from headrace.dataservice.placement.failover import Failovers
from headrace.dataservice.settings import DataServiceSettings


def failovers() -> Failovers:
    known = Failovers(DataServiceSettings())
    known.seen(1, "n")
    known.answered(1, 0.0)
    return known


def test_a_node_that_nobody_has_seen_is_gone() -> None:
    assert Failovers(DataServiceSettings()).is_gone(5, 0.0)


def test_a_refused_connection_is_enough_at_once() -> None:
    known = failovers()
    assert not known.is_gone(1, 10.0)
    known.refused(1, 10.0)
    assert known.is_gone(1, 10.0)


def test_a_node_that_answers_again_is_back() -> None:
    known = failovers()
    known.refused(1, 10.0)
    known.answered(1, 11.0)
    assert not known.is_gone(1, 11.0)


def test_the_next_take_over_on_suspicion_within_a_minute_waits_and_the_wait_doubles() -> None:
    known = failovers()
    for wait in (0.0, 5.0, 10.0):
        known.refused(1, 10.0)
        if wait:
            assert not known.is_gone(1, 10.0 + wait - 0.1)
        assert known.is_gone(1, 10.0 + wait)
        known.answered(1, 10.0 + wait)


def test_after_a_quiet_minute_nobody_waits() -> None:
    known = failovers()
    known.refused(1, 10.0)
    assert known.is_gone(1, 10.0)
    known.answered(1, 11.0)
    known.refused(1, 71.0)
    assert known.is_gone(1, 71.0)


def test_the_end_of_the_lease_of_a_silent_node_does_not_wait() -> None:
    known = failovers()
    known.refused(1, 1.0)
    assert known.is_gone(1, 1.0)
    known.answered(1, 2.0)
    known.refused(1, 3.0)
    assert not known.is_gone(1, 3.0)
    known.session_ended(1, 4.0)
    assert known.is_gone(1, 4.0)


def test_a_node_without_a_session_that_still_answers_may_register_anew() -> None:
    known = failovers()
    known.answered(1, 9.5)
    known.session_ended(1, 10.0)
    assert not known.is_gone(1, 10.0)
    known.answered(1, 12.0)
    assert not known.is_gone(1, 14.0)
    known.seen(1, "n")
    assert not known.is_gone(1, 100.0)


def test_a_node_that_does_not_register_anew_is_gone_after_a_few_seconds() -> None:
    known = failovers()
    known.session_ended(1, 10.0)
    known.answered(1, 14.9)
    assert known.is_gone(1, 15.0)


def test_a_frozen_node_is_gone_when_its_lease_ends() -> None:
    known = failovers()
    known.session_ended(1, 10.0)
    assert known.is_gone(1, 10.0)


def test_a_successor_under_the_same_name_ends_its_predecessor_at_once() -> None:
    known = failovers()
    known.refused(1, 1.0)
    assert known.is_gone(1, 1.0)
    known.answered(1, 2.0)
    known.refused(1, 3.0)
    known.seen(2, "n")
    assert known.is_gone(1, 3.0) and not known.is_gone(2, 3.0)


def test_the_gone_are_forgotten_once_they_have_no_session() -> None:
    known = failovers()
    known.session_ended(1, 10.0)
    assert known.forget_gone(10.0) == [1]
    assert known.forget_gone(10.0) == []
