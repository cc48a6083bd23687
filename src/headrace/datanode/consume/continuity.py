"""Checks that each message of a pchannel continues the one before it.

A reader begins in the middle: its first message is taken as it is, each further one must follow.
After a TermStart at message id t come messages with term t and numbers 1, 2, ... (SQ-1), until the
next TermStart; timestamps rise strictly from entry to entry (TT-1).
"""

from headrace.datanode.handoff import FetchedGroup
from headrace.model.channel import PChannel
from headrace.model.entry import TermStart
from headrace.model.errors import Corrupt
from headrace.model.ids import MessageId, Term
from headrace.model.timestamp import Timestamp


class Continuity:
    """What the last message of one reader was."""

    def __init__(self, pchannel: PChannel) -> None:
        self._pchannel = pchannel
        self._message_id: MessageId | None = None
        self._term: Term = 0
        self._number = 0
        self._timestamp: Timestamp = 0

    def check(self, fetched: FetchedGroup) -> None:
        """Take the next message; `Corrupt` when it does not continue the one before it."""
        group, message_id = fetched.group, fetched.message_id
        starts = isinstance(group.entries[0], TermStart)
        term, number = (message_id, 0) if starts else (group.term, group.number)
        if starts and (group.term, group.number) != (0, 0):
            self._corrupt(message_id, f"is a TermStart of term {group.term}")
        if self._message_id is not None:
            if message_id != self._message_id + 1:
                self._corrupt(message_id, f"follows message {self._message_id}")
            if not starts and (term, number) != (self._term, self._number + 1):
                self._corrupt(
                    message_id,
                    f"is number {number} of term {term} and follows number {self._number} of term "
                    f"{self._term}",
                )
        last = self._timestamp
        for entry in group.entries:
            if entry.timestamp <= last:
                self._corrupt(message_id, f"has timestamp {entry.timestamp} after {last}")
            last = entry.timestamp
        self._message_id, self._term, self._number = message_id, term, number
        self._timestamp = last

    def _corrupt(self, message_id: MessageId, what: str) -> None:
        raise Corrupt(f"message {message_id} of {self._pchannel} {what}", channel=self._pchannel)
