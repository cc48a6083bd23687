"""What happens to the leading master service: facts in the past tense.

A request carries `call`, the number of its caller; the machine answers it with exactly one `Answer`
or `Refuse`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from headrace.meta.records import SequencerRecord, SessionRecord
from headrace.model.channel import PChannel, Position, VChannel
from headrace.model.errors import HeadraceError
from headrace.model.ids import CollectionId, Revision, ServerId, Version
from headrace.rpc.messages import (
    AllocIdsRequest,
    CreateCollectionRequest,
    DropCollectionRequest,
    GrantRequest,
    PartitionRequest,
    RenameCollectionRequest,
    SetClientStateRequest,
)


class Mark(StrEnum):
    """The marks below which something is given out."""

    TIMESTAMPS = "timestamps"
    IDS = "ids"


class Reached(StrEnum):
    """How an own attempt to reach a suspected process ended."""

    GONE = "gone"  # the connection was refused, or another process answers there
    THERE = "there"  # it answered
    SILENT = "silent"  # neither: only the lease decides


# ---- the leadership ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeadershipBegan:
    """All that was recorded has been read; the machine was made of it."""


@dataclass(frozen=True, slots=True)
class LeadershipLost:
    """Another leads, or what stands in the meta store is not what this leader wrote."""

    reason: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A moment that the machine asked to be woken at (monotonic seconds) has come."""

    when: float


@dataclass(frozen=True, slots=True)
class MarkMoved:
    """The mark stands in the meta store."""

    mark: Mark
    value: int


@dataclass(frozen=True, slots=True)
class MarkFailed:
    """The meta store did not answer; the mark stands or not."""

    mark: Mark
    reason: str


# ---- what is asked ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantAsked:
    """A sequencer process wants timestamps. The lease surely stands until `leads_until`
    (monotonic seconds)."""

    call: int
    request: GrantRequest
    wall_ms: int
    leads_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampAsked:
    """A timestamp is wanted."""

    call: int
    wall_ms: int
    leads_until: float


@dataclass(frozen=True, slots=True)
class IdsAsked:
    """Ids are wanted."""

    call: int
    request: AllocIdsRequest


@dataclass(frozen=True, slots=True)
class CreateAsked:
    """A collection is wanted."""

    call: int
    request: CreateCollectionRequest


@dataclass(frozen=True, slots=True)
class DropAsked:
    """A collection is to go."""

    call: int
    request: DropCollectionRequest


@dataclass(frozen=True, slots=True)
class RenameAsked:
    """A collection is to have another name."""

    call: int
    request: RenameCollectionRequest


@dataclass(frozen=True, slots=True)
class PartitionAsked:
    """A partition is wanted, or is to go."""

    call: int
    request: PartitionRequest


@dataclass(frozen=True, slots=True)
class SetClientStateAsked:
    """State of a client about a collection is to be kept, or with an empty value forgotten."""

    call: int
    request: SetClientStateRequest


DdlAsked: TypeAlias = CreateAsked | DropAsked | RenameAsked | PartitionAsked
Asked: TypeAlias = GrantAsked | TimestampAsked | IdsAsked | DdlAsked | SetClientStateAsked


# ---- which proxy sequences which pchannel ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProxiesListed:
    """All proxies that have a session, as of now."""

    proxies: tuple[SessionRecord, ...]


@dataclass(frozen=True, slots=True)
class ProxySuspected:
    """A connection of another process to that proxy was refused or reset."""

    server_id: ServerId
    address: str


@dataclass(frozen=True, slots=True)
class ConnectionTried:
    """The own attempt to reach a suspected process is over."""

    server_id: ServerId
    reached: Reached


@dataclass(frozen=True, slots=True)
class SequencerStopped:
    """The old sequencer has stopped, or did not say so in time."""

    pchannel: PChannel
    clean: bool


@dataclass(frozen=True, slots=True)
class SequencerStood:
    """This record stands in the meta store at this revision."""

    pchannel: PChannel
    record: SequencerRecord
    revision: Revision


# ---- DDL ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DdlRecorded:
    """The DDL is recorded: every later leader goes on with it."""

    collection_id: CollectionId
    version: Version
    revision: Revision


@dataclass(frozen=True, slots=True)
class DdlNotRecorded:
    """Nothing was recorded, and nothing will be."""

    collection_id: CollectionId
    version: Version
    error: HeadraceError


@dataclass(frozen=True, slots=True)
class DdlAppended:
    """The DDL stands in every vchannel of its collection."""

    collection_id: CollectionId
    version: Version
    positions: dict[VChannel, Position]


@dataclass(frozen=True, slots=True)
class DdlNoted:
    """The positions are noted."""

    collection_id: CollectionId
    version: Version
    revision: Revision


@dataclass(frozen=True, slots=True)
class NamesStored:
    """A list of names as of this revision, or a later one, stands in the object store."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class ClientStateSet:
    """A client's state is kept, or for this reason not."""

    call: int
    error: HeadraceError | None


@dataclass(frozen=True, slots=True)
class TombstonesSwept:
    """Dropped collections were looked at; of these the last trace has gone."""

    removed: tuple[CollectionId, ...]


Event: TypeAlias = (
    LeadershipBegan
    | LeadershipLost
    | TimePassed
    | MarkMoved
    | MarkFailed
    | Asked
    | ProxiesListed
    | ProxySuspected
    | ConnectionTried
    | SequencerStopped
    | SequencerStood
    | DdlRecorded
    | DdlNotRecorded
    | DdlAppended
    | DdlNoted
    | NamesStored
    | ClientStateSet
    | TombstonesSwept
)
