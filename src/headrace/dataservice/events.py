"""Events: what the data service's machine is told, in the past tense.

A request from outside carries the number of its call, which its `Answer` brings back.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from headrace.meta.records import CheckpointRecord, EpochRecord, SessionRecord
from headrace.model.channel import VChannel
from headrace.model.errors import HeadraceError
from headrace.model.ids import CollectionId, Epoch, Revision, SegmentId, ServerId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import (
    ChannelState,
    NewEpochRequest,
    ReportOutcome,
    SaveBinlogPathsRequest,
    SaveCheckpointsRequest,
)


class MaintenanceTask(StrEnum):
    """What is done again and again, one round at a time."""

    NAMES = "names"  # store the list of collections' names
    DROPS = "drops"  # write into records what a drop made of them
    BUNDLES = "bundles"  # put flushed segments together under one key
    TRUNCATE = "truncate"  # the log, below what every checkpoint has passed
    COLLECT = "collect"  # delete objects that nothing names


# ---- what meta says ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EpochSeen:
    """The epoch record of a vchannel as of a revision; None = its key has gone."""

    vchannel: VChannel
    record: EpochRecord | None
    revision: Revision


@dataclass(frozen=True, slots=True)
class CheckpointSeen:
    """The channel checkpoint as of a revision; None = its key has gone."""

    vchannel: VChannel
    record: CheckpointRecord | None
    revision: Revision


@dataclass(frozen=True, slots=True)
class ChannelsListed:
    """All vchannels as of one revision: what is not here is not there."""

    epochs: tuple[EpochSeen, ...]
    checkpoints: tuple[CheckpointSeen, ...]


@dataclass(frozen=True, slots=True)
class CollectionChanged:
    """A collection's record was written, or has gone."""

    collection_id: CollectionId
    present: bool


@dataclass(frozen=True, slots=True)
class NodesChanged:
    """All sessions of data nodes as they are now."""

    nodes: tuple[SessionRecord, ...]


# ---- what data nodes say -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeAnswered:
    """A data node told what it watches."""

    server_id: ServerId
    channels: tuple[ChannelState, ...]


@dataclass(frozen=True, slots=True)
class NodeNotReached:
    """It could not be asked. `refused`: its address refuses connections, or another process
    answered there."""

    server_id: ServerId
    refused: bool
    reason: str


@dataclass(frozen=True, slots=True)
class WatchesAccepted:
    """The node took these watches; `left_out` could not be read, or have another epoch by now."""

    server_id: ServerId
    items: tuple[tuple[VChannel, Epoch], ...]
    left_out: tuple[tuple[VChannel, Epoch], ...] = ()


@dataclass(frozen=True, slots=True)
class WatchesNotAccepted:
    """It is not known whether the node took them; `fenced`: it refused them, each of these epochs
    has ended there. `refused`: its address refuses connections."""

    server_id: ServerId
    items: tuple[tuple[VChannel, Epoch], ...]
    reason: str
    fenced: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseEnded:
    """The node was told to release a vchannel, or could not be (`sent` False)."""

    server_id: ServerId
    vchannel: VChannel
    epoch: Epoch
    sent: bool


@dataclass(frozen=True, slots=True)
class HintEnded:
    """A node was sent the timestamps for which callers wait, or could not be reached."""

    server_id: ServerId


# ---- what became of our own orders ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EpochWritten:
    """A vchannel has a new epoch."""

    vchannel: VChannel
    record: EpochRecord
    revision: Revision


@dataclass(frozen=True, slots=True)
class EpochNotWritten:
    """It has not, or the outcome is not known; what stands comes by `EpochSeen`."""

    vchannel: VChannel
    reason: str


@dataclass(frozen=True, slots=True)
class ReportCommitted:
    """A report stands in meta. `changes`: it says more than that the channel checkpoint has
    moved."""

    call: int
    vchannel: VChannel
    outcome: ReportOutcome
    epoch: EpochSeen
    checkpoint: CheckpointSeen
    flushed: tuple[SegmentId, ...]
    changes: bool


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """A report does not stand in meta, or the outcome is not known."""

    call: int
    vchannel: VChannel
    error: HeadraceError


@dataclass(frozen=True, slots=True)
class MovesCommitted:
    """The checkpoints of idle vchannels stand, but for those left out."""

    call: int
    checkpoints: tuple[CheckpointSeen, ...]
    left_out: tuple[VChannel, ...]


@dataclass(frozen=True, slots=True)
class MovesRefused:
    """None of the checkpoints of idle vchannels was saved, as far as is known."""

    call: int
    error: HeadraceError


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestStored:
    """A collection's manifest stands in the object store. `complete`: no row in it is above its
    timestamp. `over`: every vchannel of the collection is dropped."""

    collection_id: CollectionId
    revision: Revision
    timestamp: Timestamp
    complete: bool
    over: bool = False


@dataclass(frozen=True, slots=True)
class ManifestNotStored:
    """It could not be read or stored, or has to wait until these checkpoints have passed."""

    collection_id: CollectionId
    reason: str
    awaits: tuple[tuple[VChannel, Timestamp], ...] = ()


@dataclass(frozen=True, slots=True)
class MaintenanceEnded:
    """A round has ended, well or not; `changed`: collections that need a new manifest."""

    task: MaintenanceTask
    changed: tuple[CollectionId, ...] = ()


# ---- requests ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReportArrived:
    """SaveBinlogPaths."""

    call: int
    report: SaveBinlogPathsRequest


@dataclass(frozen=True, slots=True)
class MovesArrived:
    """SaveCheckpoints."""

    call: int
    request: SaveCheckpointsRequest


@dataclass(frozen=True, slots=True)
class NewEpochAsked:
    """A flowgraph has ended by itself."""

    call: int
    request: NewEpochRequest


@dataclass(frozen=True, slots=True)
class NodeSuspected:
    """A connection of another process to a data node was refused or reset."""

    call: int
    server_id: ServerId


@dataclass(frozen=True, slots=True)
class FlushStateAsked:
    """A client waits for a flush of these collections."""

    call: int
    collection_ids: tuple[CollectionId, ...]
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class CollectionLookedUp:
    """Whether meta has a collection that the machine did not know."""

    call: int
    present: bool


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A step of time."""


Event: TypeAlias = (
    EpochSeen
    | CheckpointSeen
    | ChannelsListed
    | CollectionChanged
    | EpochWritten
    | EpochNotWritten
    | NodesChanged
    | NodeAnswered
    | NodeNotReached
    | WatchesAccepted
    | WatchesNotAccepted
    | ReleaseEnded
    | HintEnded
    | ReportArrived
    | ReportCommitted
    | ReportRefused
    | MovesArrived
    | MovesCommitted
    | MovesRefused
    | NewEpochAsked
    | NodeSuspected
    | FlushStateAsked
    | CollectionLookedUp
    | ManifestStored
    | ManifestNotStored
    | MaintenanceEnded
    | TimePassed
)
