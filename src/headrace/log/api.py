"""The port of the log: one durable, totally ordered stream of messages a pchannel.

The contract, which every adapter passes (`tests/conformance/test_log.py`): Message ids are whole
numbers that rise by one, the first is 1. An append names the id of the last message; it is let in
only if that is still the last one, and is durable (synced) when it is answered. A refusal or a lost
answer is **no outcome**: only the message that stands at the next id is (`get`). Absence is none
either: a replica may answer "absent" for what is confirmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headrace.model.channel import PChannel
from headrace.model.entry import Body
from headrace.model.ids import MessageId


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a pchannel."""

    id: MessageId
    data: Body = field(repr=False)


class LogReader(Protocol):
    """A position in a pchannel that moves on. Survives restarts of the server by itself."""

    async def fetch(self, max_bytes: int) -> Sequence[Message]:
        """The next messages in order, without gap or repeat; waits until there is at least one.

        At most `max_bytes` together, but always at least one whole message, however large: credit
        is taken before the fetch. `Corrupt` when the next message was truncated (the seek lies
        below the first message), and when the log has lost its end (not even the message before the
        next one is there, and it does not come back). `Unavailable` is not raised: it waits and
        reconnects, also while the pchannel is not there yet. One fetch at a time; what a cancelled
        fetch would have brought, the next one brings.
        """

    async def close(self) -> None:
        """Give its resources back."""


class Log(Protocol):
    """All pchannels of a cluster."""

    async def ensure(self, pchannel: PChannel) -> None:
        """Make the stream if it is absent, with no limit of age or size; idempotent."""

    async def append(
        self, pchannel: PChannel, parts: Sequence[Body], expected_last: MessageId
    ) -> MessageId:
        """Append one message (the parts joined) behind the message with id `expected_last`.

        Returns its id (expected_last + 1), after it is synced. `Conflict`: refused, another message
        stands there or the server says so - no outcome. `Unavailable`: not sent, or the answer was
        lost, or the pchannel is not there - no outcome. `Invalid`: larger than the server takes.
        The parts must not change afterwards, even if the call is cancelled: they may still be sent.
        """

    async def last(self, pchannel: PChannel) -> MessageId:
        """Id of the last message, 0 when there never was one."""

    async def first(self, pchannel: PChannel) -> MessageId:
        """Id of the first message that is still there; last + 1 when there is none."""

    async def get(self, pchannel: PChannel, message_id: MessageId) -> Message | None:
        """The message with that id, or None when none was found (which is no outcome)."""

    async def read(self, pchannel: PChannel, start: MessageId) -> LogReader:
        """A reader that begins with the message `start`, that one included."""

    async def truncate(self, pchannel: PChannel, below: MessageId) -> None:
        """Drop messages with ids below `below`; never the last message. Idempotent."""

    async def free_bytes(self) -> int | None:
        """How much more the log's disk takes before it is full, None when not known."""

    async def close(self) -> None:
        """Give all connections back."""
