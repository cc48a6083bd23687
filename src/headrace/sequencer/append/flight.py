"""One message on its way into the log.

Only a message that stands at the next id is an outcome (or the log's word that ours was taken as
that id). A refusal, a lost answer and absence are none: the same bytes are sent again under the
same id until there is one. So a sequencer that names an id knows the message that has it, and a
message that comes late can only be the one that was meant to stand there.
"""

from dataclasses import dataclass, field

from headrace.model.entry import Body
from headrace.model.ids import MessageId
from headrace.sequencer.append.grouping import Built
from headrace.sequencer.effects import Append, Look
from headrace.sequencer.settings import SequencerSettings


@dataclass(slots=True)
class Flight:
    """A message that was sent behind the message `expected_last`."""

    attempt: int
    expected_last: MessageId
    parts: tuple[Body, ...] = field(repr=False)
    what: str  # term-start, group or digest
    sent_at: float  # when it was first sent
    tries: int = 0  # that ended without an outcome
    built: Built = field(default_factory=Built)  # what it was made of; nothing of a TermStart

    @property
    def message_id(self) -> MessageId:
        return self.expected_last + 1

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.parts))

    def send(self) -> Append:
        return Append(self.attempt, self.expected_last, self.parts, self.what, 0.0)

    def look(self) -> Look:
        """An append ended without an outcome: see what stands there."""
        self.tries += 1
        return Look(self.attempt, self.message_id, self.parts)

    def again(self, settings: SequencerSettings) -> Append:
        """Nothing was found there: the same bytes under the same id (DL-1)."""
        delay_s = settings.pauses.after(self.tries)
        return Append(self.attempt, self.expected_last, self.parts, self.what, delay_s)
