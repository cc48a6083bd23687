"""Grants of timestamps: disjoint, from the present millisecond on, below a persisted mark."""

import pytest

from headrace.masterservice.allocation.timestamps import Timestamps
from headrace.model.timestamp import compose, physical_ms

WALL_MS = 1_700_000_000_000


def begin(mark: int = 0, wall_ms: int = WALL_MS, now: float = 100.0) -> Timestamps:
    return Timestamps(mark, window_ms=3000, wall_ms=wall_ms, now=now)


def persisted(source: Timestamps, now: float) -> None:
    mark = source.move_mark(now)
    assert mark is not None
    source.mark_moved(mark)


def test_nothing_is_given_out_before_the_first_mark_stands() -> None:
    source = begin()
    assert source.take(1, 100.0) is None
    persisted(source, 100.0)
    assert source.take(1, 100.0) == compose(WALL_MS)


def test_ranges_are_disjoint_and_rise() -> None:
    source = begin()
    persisted(source, 100.0)
    first = source.take(5000, 100.0)
    second = source.take(10, 100.0)
    third = source.take(1, 100.5)
    assert first is not None and second == first + 5000
    assert third == compose(WALL_MS + 500)


def test_a_grant_begins_at_the_present_millisecond() -> None:
    source = begin()
    persisted(source, 100.0)
    assert source.take(1, 101.25) == compose(WALL_MS + 1250)


def test_a_grant_never_reaches_the_mark() -> None:
    source = begin()
    persisted(source, 100.0)
    assert physical_ms(source.mark) == WALL_MS + 3000
    assert source.take(1, 103.001) is None
    assert source.take((1 << 18) * 3000 + 1, 100.0) is None
    assert source.take((1 << 18) * 3000, 100.0) == compose(WALL_MS)
    source.validate()


def test_the_mark_moves_when_half_the_window_is_left_and_once_at_a_time() -> None:
    source = begin()
    persisted(source, 100.0)
    assert source.move_mark(101.4) is None
    assert source.due() == pytest.approx(101.501)
    mark = source.move_mark(source.due())
    assert mark is not None and physical_ms(mark) == WALL_MS + 4501
    assert source.move_mark(102.0) is None
    source.mark_failed()
    assert source.move_mark(102.0) is not None


def test_a_successor_begins_at_the_mark_even_if_its_clock_is_behind() -> None:
    source = begin()
    persisted(source, 100.0)
    last = source.take(1000, 102.9)
    successor = begin(mark=source.mark, wall_ms=WALL_MS - 60_000, now=5.0)
    persisted(successor, 5.0)
    first = successor.take(1, 5.0)
    assert first is not None and last is not None
    assert first >= source.mark > last + 999
    assert successor.present_ms(6.0) == physical_ms(source.mark) + 1000


def test_a_successor_whose_clock_is_ahead_begins_at_its_present() -> None:
    successor = begin(mark=compose(WALL_MS), wall_ms=WALL_MS + 10_000)
    persisted(successor, 100.0)
    assert successor.take(1, 100.0) == compose(WALL_MS + 10_000)


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000])
def test_a_jump_of_the_wall_clock_moves_nothing_and_is_told_once(jump_ms: int) -> None:
    source = begin()
    persisted(source, 100.0)
    assert source.jump_ms(WALL_MS + 1000, 101.0) == 0
    assert source.jump_ms(WALL_MS + 1000 + jump_ms, 101.0) == jump_ms
    assert source.jump_ms(WALL_MS + 1500 + jump_ms, 101.5) == 0
    assert source.take(1, 101.5) == compose(WALL_MS + 1500)


def test_small_differences_of_the_clocks_are_not_told() -> None:
    source = begin()
    assert source.jump_ms(WALL_MS + 900, 100.0) == 0
