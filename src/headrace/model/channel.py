"""Channels: pchannel = one log stream of a fixed pool, vchannel = one shard's share of it.

The spelling of a vchannel is `{pchannel}_{collection_id}v{shard}`. A position is a place in a
pchannel: all at or below its timestamp is behind it; to read from it, begin with the message id,
that one included, and drop what is not above the timestamp. Inside one pchannel message ids and
timestamps rise together, so the order of positions is that of their timestamps.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from headrace.model.errors import Invalid
from headrace.model.ids import CollectionId, MessageId
from headrace.model.timestamp import Timestamp

PChannel: TypeAlias = str
VChannel: TypeAlias = str

_VCHANNEL = re.compile(r"^(?P<pchannel>.+)_(?P<collection>\d+)v(?P<shard>\d+)$")


@dataclass(frozen=True, slots=True)
class VChannelParts:
    """A vchannel's name, taken apart."""

    pchannel: PChannel
    collection_id: CollectionId
    shard: int


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a pchannel; see the module for what it means to stand at one."""

    pchannel: PChannel
    message_id: MessageId
    timestamp: Timestamp

    def passed(self, timestamp: Timestamp) -> bool:
        """Whether everything at or below `timestamp` lies behind this position."""
        return self.timestamp >= timestamp


def pchannel_name(prefix: str, number: int) -> PChannel:
    """`headrace-dml-3` for prefix `headrace-dml` and number 3; no `_`, `.` or space may occur."""
    return f"{prefix}-{number}"


def vchannel_name(pchannel: PChannel, collection_id: CollectionId, shard: int) -> VChannel:
    """The vchannel of a collection's shard in a pchannel."""
    return f"{pchannel}_{collection_id}v{shard}"


def parse_vchannel(name: VChannel) -> VChannelParts:
    """Take a vchannel's name apart; `Invalid` when it is none."""
    match = _VCHANNEL.match(name)
    if match is None:
        raise Invalid(f"{name!r} is not a vchannel name", field="vchannel")
    return VChannelParts(match["pchannel"], int(match["collection"]), int(match["shard"]))


def pchannel_of(name: VChannel) -> PChannel:
    """The pchannel that carries a vchannel."""
    return parse_vchannel(name).pchannel
