"""The rules of the protocol that the machine rests on, one small method each.

**Owns** the sentences as questions, named as in the executable model of the append side. **Does not
own** state or flow (`machine`, `failover`, `term`).

They are gathered here so that the simulator can switch one off at a time (a subclass that answers
otherwise) and show that its checkers notice. Production uses `Rules()` and nothing else.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from headrace.model.entry import Body
from headrace.model.ids import MessageId, Term, Version
from headrace.model.timestamp import Timestamp

T = TypeVar("T")


class Rules:
    """All rules in force."""

    # ---- the log decides -------------------------------------------------------------------------

    def expected_last(self, known: MessageId, in_flight: Sequence[MessageId]) -> MessageId:
        """An append names the last id: that of the last message that we know to stand.

        `in_flight` are the ids that messages on their way will get; with one in flight there is
        none when this is asked.
        """
        return in_flight[-1] if in_flight else known

    def term(self, term_start: MessageId) -> Term:
        """A term is the message id of its TermStart."""
        return term_start

    def may_send(self, in_flight: int) -> bool:
        """One append is in flight a pchannel."""
        return in_flight == 0

    def again(self, parts: tuple[Body, ...]) -> tuple[Body, ...]:
        """What was once sent under an expected id is repeated byte for byte."""
        return parts

    def absence_is_outcome(self) -> bool:
        """Absence never is an outcome, nor is a refusal."""
        return False

    def acknowledges_when_sent(self) -> bool:
        """A request is acknowledged when its entry stands, not before."""
        return False

    # ---- becoming the sequencer ------------------------------------------------------------------

    def starts_again(self) -> bool:
        """A process that was replaced and is still wanted appends TermStart again."""
        return True

    def noted_above(self, noted: Iterable[MessageId], term: Term) -> bool:
        """Who reads of a DDL noted at an id above its own TermStart was replaced."""
        return any(message_id > term for message_id in noted)

    def appended_first(self, recorded: Sequence[T]) -> Sequence[T]:
        """A new sequencer first appends what is recorded and not noted."""
        return recorded

    def reads_window(self) -> bool:
        """A new sequencer reads the ids of requests that older terms left."""
        return True

    # ---- timestamps ------------------------------------------------------------------------------

    def grant_counts(self, asked: int, asked_before_term: int) -> bool:
        """A sequencer uses only grants asked for after its TermStart stood."""
        return asked > asked_before_term

    def grant_covers(self, asked: int, needed: int, away: bool) -> bool:
        """A group takes its timestamps from a grant asked for after its requests arrived; only
        while the master service does not answer is the rest of the last grant used."""
        return asked >= needed or away

    def first_unused(self, next_granted: Timestamp, last: Timestamp) -> Timestamp:
        """What is not above the last timestamp of the log is thrown away."""
        return max(next_granted, last + 1)

    # ---- ids of requests -------------------------------------------------------------------------

    def kept_by(self, first_sent: Timestamp, timestamp: Timestamp) -> Timestamp:
        """An id is forgotten by when its request was first sent, not by when it was appended."""
        return first_sent

    def is_unknown(self, first_sent: Timestamp, floor: Timestamp) -> bool:
        """Below the window's floor a request is answered unknown, never appended."""
        return first_sent <= floor

    def repeat_waits(self) -> bool:
        """A repeat waits while the first is not confirmed."""
        return True

    def looks_up_first(self) -> bool:
        """Ids are looked up before versions."""
        return True

    # ---- versions --------------------------------------------------------------------------------

    def is_stale(self, version: Version, present: Version) -> bool:
        """Rows of an older version than the present one are refused."""
        return version < present

    def refusal_waits(self, raising: Version) -> bool:
        """While the entry that raises the version is in flight, rows wait: a refusal rests on a
        DDL that stands."""
        return raising > 0
