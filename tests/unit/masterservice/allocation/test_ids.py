"""Ranges of ids below a persisted mark."""

from headrace.masterservice.allocation.ids import FIRST_ID, Ids


def test_nothing_is_given_out_before_the_first_mark_stands() -> None:
    source = Ids(0, window=1000)
    assert source.take(1) is None
    mark = source.move_mark()
    assert mark == FIRST_ID + 1000
    source.mark_moved(mark)
    assert source.take(1) == FIRST_ID


def test_ranges_never_overlap_and_end_at_the_mark() -> None:
    source = Ids(500, window=1000)
    source.mark_moved(1500)
    assert source.take(400) == 500
    assert source.take(600) == 900
    assert source.take(1) is None
    source.validate()


def test_the_mark_moves_ahead_in_good_time() -> None:
    source = Ids(1, window=1000)
    source.mark_moved(1001)
    source.take(400)
    assert source.move_mark() is None
    source.take(200)
    assert source.move_mark() == 601 + 1000
    assert source.move_mark() is None, "one is on its way"


def test_a_large_lease_moves_the_mark_as_far_as_it_needs() -> None:
    source = Ids(1, window=1000)
    source.mark_moved(1001)
    assert source.take(50_000) is None
    assert source.move_mark(50_000) == 1 + 50_000 + 1000


def test_a_successor_begins_at_the_mark() -> None:
    source = Ids(0, window=1000)
    source.mark_moved(1001)
    source.take(10)
    successor = Ids(1001, window=1000)
    successor.mark_moved(2001)
    assert successor.take(1) == 1001


def test_after_a_failure_the_mark_is_tried_again() -> None:
    source = Ids(0, window=1000)
    first = source.move_mark()
    source.mark_failed()
    assert source.move_mark() == first
