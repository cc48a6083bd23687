"""Ids of rows and segments, from ranges leased ahead of need.

The master service gives each id out once; ids left over when the process ends are never used
(ID-1).
"""

from collections import deque
from dataclasses import dataclass

from headrace.sequencer.effects import Effect, LeaseIds
from headrace.sequencer.events import IdsLeased
from headrace.sequencer.settings import SequencerSettings


@dataclass(slots=True)
class _Range:
    next: int
    end: int


class Leases:
    """The ids of one pchannel's sequencer; what is left goes over into its next term."""

    def __init__(self, settings: SequencerSettings) -> None:
        self._settings = settings
        self._ranges: deque[_Range] = deque()
        self._outstanding = False
        self._failures = 0
        self._short = 0  # a take of so many failed

    @property
    def left(self) -> int:
        return sum(r.end - r.next for r in self._ranges)

    @property
    def short(self) -> bool:
        """Whether rows wait for ids."""
        return self._short > 0

    def take(self, count: int) -> int | None:
        """The first of `count` ids in a row, None when there are not so many: more are leased."""
        while self._ranges:
            first = self._ranges[0]
            if first.end - first.next >= count:
                first.next += count
                return first.next - count
            if len(self._ranges) == 1:
                break
            self._ranges.popleft()
        self._short = max(self._short, count)
        return None

    def order(self) -> list[LeaseIds]:
        """Lease more when less than half a lease is left, or a take failed."""
        if self._outstanding or (not self._short and self.left > self._settings.ids_lease // 2):
            return []
        self._outstanding = True
        count = max(self._settings.ids_lease, self._short)
        return [LeaseIds(count, self._settings.pauses.after(self._failures))]

    def leased(self, event: IdsLeased) -> list[Effect]:
        """They are ours."""
        self._outstanding, self._failures = False, 0
        self._ranges.append(_Range(event.first, event.first + event.count))
        if event.count >= self._short:
            self._short = 0
        return []

    def unanswered(self) -> list[Effect]:
        """None for now; asked for again."""
        self._outstanding = False
        self._failures += 1
        return []
