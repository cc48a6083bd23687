"""Ids: ranges that are given out once, of segments, rows, automatic keys, collections, partitions.

A successor begins at the mark that it reads, so what was given out below it never comes again
(ID-1); what was not is skipped.
"""

FIRST_ID = 1


class Ids:
    """The source of ids of one leadership."""

    def __init__(self, mark: int, *, window: int) -> None:
        self._window = window
        self._next = max(mark, FIRST_ID)
        self._mark = max(mark, FIRST_ID)
        self._moving = 0  # the mark on its way to the meta store, 0 = none

    @property
    def mark(self) -> int:
        return self._mark

    def take(self, count: int) -> int | None:
        """The first of `count` ids; None = the mark must move first."""
        if self._next + count > self._mark:
            return None
        first = self._next
        self._next += count
        return first

    def move_mark(self, need: int = 0) -> int | None:
        """The mark to be persisted now, or None when more than half a window and `need` are left
        or one is on its way."""
        left = self._mark - self._next
        if self._moving or (left * 2 >= self._window and left >= need):
            return None
        self._moving = self._next + need + self._window
        return self._moving

    def mark_moved(self, mark: int) -> None:
        """The mark stands."""
        self._mark = max(self._mark, mark)
        self._moving = 0

    def mark_failed(self) -> None:
        """It may stand or not: the old one counts."""
        self._moving = 0

    def validate(self) -> None:
        """What is given out lies below the mark that stands."""
        assert self._next <= self._mark, f"ID-1: {self._next} given out, mark {self._mark}"
