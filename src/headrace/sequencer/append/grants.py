"""Timestamps: which grant may be used for what, and when the next one is asked for.

The call itself is made by the `grant_client`, one at a time for all pchannels of the process.

Each `AskGrant` has a number. What arrives while number n is the latest needs the grant of number n
+ 1 or later: one asked for after it arrived. So "asked for after its requests arrived" and "asked
for after TermStart stood" are comparisons of whole numbers, and an answer that comes late is
recognised.
"""

from dataclasses import dataclass

from headrace.model.timestamp import Timestamp
from headrace.sequencer.effects import AskGrant, Effect
from headrace.sequencer.events import Granted, GrantUnanswered, GrantWithheld
from headrace.sequencer.settings import SequencerSettings


@dataclass(slots=True)
class Grant:
    """A range of timestamps and how far it is used."""

    asked: int  # the number of the `AskGrant` that brought it
    next: Timestamp
    end: Timestamp  # the first that is not ours


class GroupTimestamps:
    """Timestamps for one group, rising strictly from `first`, out of one grant."""

    def __init__(self, grant: Grant, first: Timestamp) -> None:
        self._grant = grant
        self._next = first

    @property
    def asked(self) -> int:
        """The number of the `AskGrant` that brought them."""
        return self._grant.asked

    @property
    def end(self) -> Timestamp:
        return self._grant.end

    @property
    def left(self) -> int:
        return self._grant.end - self._next

    def peek(self) -> Timestamp:
        return self._next

    def take(self, above: Timestamp = 0) -> Timestamp:
        """The next one that is above `above`; asked only when there is one."""
        taken = max(self._next, above + 1)
        assert taken < self._grant.end, "the grant is used up"
        self._next = taken + 1
        return taken

    def has_above(self, above: Timestamp) -> bool:
        """Whether there is one above it."""
        return max(self._next, above + 1) < self._grant.end

    def commit(self) -> None:
        """What was taken is used: the group that has it will be sent."""
        self._grant.next = self._next


class Grants:
    """The grants of one pchannel; numbers go on from term to term."""

    def __init__(self, settings: SequencerSettings) -> None:
        self._settings = settings
        self._asked = 0
        self._before_term = 0
        self._outstanding = False
        self._wanted = False
        self._away = False
        self._failures = 0
        self._grant: Grant | None = None

    @property
    def away(self) -> bool:
        """Whether the master service did not answer the last `AskGrant`."""
        return self._away

    def begin_term(self) -> None:
        """A TermStart stands: what was asked for before it does not count."""
        self._before_term = self._asked
        self._outstanding = self._wanted = self._away = False
        self._failures = 0
        self._grant = None

    def need(self) -> int:
        """Something arrived: the number of the `AskGrant` that it needs, which will be ordered."""
        self._wanted = True
        return self._asked + 1

    def useless(self) -> None:
        """What is left of the grant serves nothing that it covers: another one, after a pause."""
        if not self._wanted and not self._outstanding:
            self._failures += 1
        self._wanted = True

    def order(self) -> list[AskGrant]:
        """Ask for a grant, if something needs one and no answer is outstanding."""
        if self._outstanding or not self._wanted:
            return []
        self._asked += 1
        self._outstanding, self._wanted = True, False
        return [AskGrant(self._asked, self._settings.pauses.after(self._failures))]

    def granted(self, event: Granted) -> list[Effect]:
        """A newer grant replaces the older one."""
        if self._answered(event.asked):
            self._away, self._failures = False, 0
            self._grant = Grant(event.asked, event.first, event.first + event.count)
        return []

    def withheld(self, event: GrantWithheld) -> list[Effect]:
        """The master service answers and does not want us: nothing is used, it is asked again."""
        if self._answered(event.asked):
            self._away = False
            self._failures += 1
            self._grant = None
            self._wanted = True
        return []

    def unanswered(self, event: GrantUnanswered) -> list[Effect]:
        """The master service is away: the rest of the last grant may be used, it is asked again."""
        if self._answered(event.asked):
            self._away = True
            self._failures += 1
            self._wanted = True
        return []

    def covers(self, needed: int) -> bool:
        """Whether the present grant may be used for what needs that number."""
        # TT-2: a grant counts for what arrived before it was asked for. Only while the master
        # service does not answer is the rest of the last grant used for what came later.
        return self._grant is not None and (self._grant.asked >= needed or self._away)

    def timestamps(self, last: Timestamp) -> GroupTimestamps | None:
        """What is left of the grant above the log's last timestamp; None: another is needed."""
        if self._grant is None:
            return None
        first = max(self._grant.next, last + 1)  # TT-1: grants below the log are thrown away
        if first >= self._grant.end:
            if self._grant.end <= last:
                self.useless()
            self._wanted = True
            return None
        return GroupTimestamps(self._grant, first)

    def _answered(self, asked: int) -> bool:
        if asked == self._asked:
            self._outstanding = False
        # TT-2: only grants asked for after TermStart stood
        return self._before_term < asked <= self._asked
