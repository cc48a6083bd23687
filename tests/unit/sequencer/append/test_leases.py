"""Leased ids."""

from headrace.sequencer.append.leases import Leases
from headrace.sequencer.effects import LeaseIds
from headrace.sequencer.events import IdsLeased
from headrace.sequencer.settings import SequencerSettings


def leases() -> Leases:
    return Leases(SequencerSettings(ids_lease=100))


def test_ids_are_leased_ahead_of_need_one_lease_at_a_time() -> None:
    ids = leases()
    assert ids.order() == [LeaseIds(100, 0.0)]
    assert ids.order() == []
    ids.leased(IdsLeased(1, 100))
    assert ids.order() == []
    assert ids.take(50) == 1
    assert ids.order() == [LeaseIds(100, 0.0)]


def test_ids_of_one_take_follow_each_other() -> None:
    ids = leases()
    ids.leased(IdsLeased(1, 100))
    ids.leased(IdsLeased(500, 100))
    assert ids.take(60) == 1
    assert ids.take(60) == 500
    assert ids.take(40) == 560


def test_a_take_that_is_larger_than_a_lease_leases_as_many() -> None:
    ids = leases()
    ids.leased(IdsLeased(1, 100))
    assert ids.take(250) is None and ids.short
    assert ids.order() == [LeaseIds(250, 0.0)]
    ids.leased(IdsLeased(1000, 250))
    assert not ids.short
    assert ids.take(250) == 1000


def test_what_is_not_answered_is_asked_for_again_with_growing_pauses() -> None:
    ids = leases()
    pauses = []
    for _ in range(8):
        [order] = ids.order()
        pauses.append(order.delay_s)
        ids.unanswered()
    assert pauses[0] == 0.0 and pauses == sorted(pauses) and pauses[-1] == 1.0
