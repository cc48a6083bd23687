"""Messages of the log to groups, as far as they are what we wrote.

**Owns** the step from `log.api.Message` to `FetchedGroup`. **Does not own** the layout
(`model.group`) or whether messages follow each other (`continuity`).
"""

from collections.abc import Sequence

from headrace.datanode.handoff import FetchedGroup
from headrace.log.api import Message
from headrace.model import group
from headrace.model.channel import PChannel
from headrace.model.errors import Corrupt


def decode(pchannel: PChannel, messages: Sequence[Message]) -> tuple[tuple[FetchedGroup, ...], str]:
    """The groups up to the first message that is none, and what is wrong with that ("" = nothing).

    Bodies stay views into the messages.
    """
    groups: list[FetchedGroup] = []
    for message in messages:
        try:
            decoded = group.decode(message.data, f"{pchannel} at {message.id}")
        except Corrupt as error:
            return tuple(groups), f"message {message.id} of {pchannel}: {error.message}"
        groups.append(FetchedGroup(message.id, len(message.data), decoded))
    return tuple(groups), ""
