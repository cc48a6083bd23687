"""Grants: ranges of timestamps, each disjoint from all others, from the present millisecond on.

No timestamp at or above the *mark* is given out before the mark stands in the meta store, so a
successor, who begins at the mark that it reads, never gives one out again (ID-1). Present time is
the wall clock as it was when this process began to lead, counted on by the monotonic clock: a wall
clock that jumps afterwards moves nothing. It is also never behind the mark that was found.
"""

from headrace.model.timestamp import LOGICAL_BITS, LOGICAL_MASK, Timestamp, compose, physical_ms

JUMP_MS = 1000  # from here on a difference of the two clocks is told


class Timestamps:
    """The source of timestamps of one leadership. Times are monotonic seconds (`now`)."""

    def __init__(self, mark: Timestamp, *, window_ms: int, wall_ms: int, now: float) -> None:
        self._window_ms = window_ms
        self._began_ms = max(wall_ms, physical_ms(mark + LOGICAL_MASK))
        self._began = now
        self._next: Timestamp = mark
        self._mark: Timestamp = mark
        self._moving: Timestamp = 0  # the mark on its way to the meta store, 0 = none
        self._wall_ahead_ms = wall_ms - self._began_ms  # as last told

    @property
    def mark(self) -> Timestamp:
        return self._mark

    def present_ms(self, now: float) -> int:
        return self._began_ms + int((now - self._began) * 1000)

    def take(self, count: int, now: float) -> Timestamp | None:
        """The first of `count` timestamps, above all that were given before; None = the mark must
        move first."""
        first = max(self._next, compose(self.present_ms(now)))
        if first + count > self._mark:
            return None
        self._next = first + count
        return first

    def move_mark(self, now: float) -> Timestamp | None:
        """The mark to be persisted now, or None when enough is left or one is on its way."""
        present = self.present_ms(now)
        if self._moving or (physical_ms(self._mark) - present) * 2 >= self._window_ms:
            return None
        self._moving = max(compose(present), self._next) + (self._window_ms << LOGICAL_BITS)
        return self._moving

    def mark_moved(self, mark: Timestamp) -> None:
        """The mark stands."""
        self._mark = max(self._mark, mark)
        self._moving = 0

    def mark_failed(self) -> None:
        """It may stand or not: the old one counts, the next attempt reads it first."""
        self._moving = 0

    def due(self) -> float:
        """When the mark should move next."""
        left_ms = physical_ms(self._mark) - self._began_ms - self._window_ms // 2
        return self._began + (left_ms + 1) / 1000

    def jump_ms(self, wall_ms: int, now: float) -> int:
        """By how much the wall clock jumped since it was last told, 0 = it did not."""
        ahead = wall_ms - self.present_ms(now)
        jumped = ahead - self._wall_ahead_ms
        if abs(jumped) < JUMP_MS:
            return 0
        self._wall_ahead_ms = ahead
        return jumped

    def validate(self) -> None:
        """What is given out lies below the mark that stands."""
        assert self._next <= self._mark, f"ID-1: {self._next} given out, mark {self._mark}"
        assert not self._moving or self._moving > self._mark, "the mark only rises"
