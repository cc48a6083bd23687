"""Channel names: pchannel = one log stream of a fixed pool, vchannel = one shard's share of it.

The spelling of a vchannel is `{pchannel}_{collection_id}v{shard}`.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from headrace.model.errors import Invalid
from headrace.model.ids import CollectionId

PChannel: TypeAlias = str
VChannel: TypeAlias = str

_VCHANNEL = re.compile(r"^(?P<pchannel>.+)_(?P<collection>\d+)v(?P<shard>\d+)$")


@dataclass(frozen=True, slots=True)
class VChannelParts:
    """A vchannel's name, taken apart."""

    pchannel: PChannel
    collection_id: CollectionId
    shard: int


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
