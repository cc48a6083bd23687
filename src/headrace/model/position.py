"""Positions in a pchannel, as checkpoints and seeks use them.

A position means: all at or below its timestamp is behind it; to read from it, begin with the
message id, that one included, and drop what is not above the timestamp. Inside one pchannel message
ids and timestamps rise together, so the order of positions is that of their timestamps.
"""

from dataclasses import dataclass

from headrace.model.channel import PChannel
from headrace.model.ids import MessageId
from headrace.model.timestamp import Timestamp


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a pchannel; see the module for what it means to stand at one."""

    pchannel: PChannel
    message_id: MessageId
    timestamp: Timestamp

    def passed(self, timestamp: Timestamp) -> bool:
        """Whether everything at or below `timestamp` lies behind this position."""
        return self.timestamp >= timestamp
