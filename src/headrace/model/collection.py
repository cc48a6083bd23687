"""A collection and its DDLs, as they are recorded in etcd and told in messages.

Every DDL makes a new version of the collection. **Does not own** keys (`meta.keys`) or what comes
after what (`masterservice`).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from headrace.model.channel import Position, VChannel
from headrace.model.entry import DdlKind
from headrace.model.ids import CollectionId, PartitionId, Version
from headrace.model.schema import Schema
from headrace.model.timestamp import Timestamp


class CollectionState(StrEnum):
    """creating until its first DDL is noted; dropping from the record of the drop on."""

    CREATING = "creating"
    CREATED = "created"
    DROPPING = "dropping"
    DROPPED = "dropped"  # a tombstone, until every checkpoint has passed it


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRecord:
    """A partition; a dropped one stays as long as the collection."""

    id: PartitionId
    name: str
    created: Timestamp
    dropped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRecord:
    """A collection with its latest recorded version; `noted` is the latest whose positions are
    known. They differ by at most one: the next DDL is recorded only when the last is noted."""

    id: CollectionId
    name: str
    version: Version
    noted: Version
    state: CollectionState
    schema: Schema
    vchannels: tuple[VChannel, ...]
    partitions: tuple[PartitionRecord, ...]
    created: Timestamp
    consistency_level: int = 0
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DdlRecord:
    """One DDL: recorded first; noted when it stands in every vchannel, with its positions."""

    collection_id: CollectionId
    version: Version
    kind: DdlKind
    schema: Schema  # in force from here on
    name: str
    recorded: Timestamp
    partition_id: PartitionId = 0
    noted: bool = False
    positions: dict[VChannel, Position] = field(default_factory=dict)
