"""Effects: what the data service's machine orders.

Each is answered by exactly one event, but `Answer`, `AnnounceFlushed` and `AnnounceManifest`, which
need none.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from headrace.dataservice.events import MaintenanceTask
from headrace.model.channel import VChannel
from headrace.model.ids import CollectionId, Epoch, Revision, SegmentId, ServerId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import SaveBinlogPathsRequest, SaveCheckpointsRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a call: a response, or an error that is raised at the caller. No event."""

    call: int
    response: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEpoch:
    """-> EpochWritten | EpochNotWritten. The next epoch, if its record is still of `revision`."""

    vchannel: VChannel
    epoch: Epoch
    revision: Revision
    server_id: ServerId
    node_name: str


@dataclass(frozen=True, slots=True)
class SendWatches:
    """-> WatchesAccepted | WatchesNotAccepted. Read the watches of these epochs and send them."""

    server_id: ServerId
    address: str
    items: tuple[tuple[VChannel, Epoch], ...]


@dataclass(frozen=True, slots=True)
class Release:
    """-> ReleaseEnded. Have a node give a vchannel back."""

    server_id: ServerId
    address: str
    vchannel: VChannel
    epoch: Epoch
    drain: bool


@dataclass(frozen=True, slots=True)
class AskNode:
    """-> NodeAnswered | NodeNotReached. Ask a node what it watches."""

    server_id: ServerId
    address: str


@dataclass(frozen=True, slots=True)
class SendHint:
    """-> HintEnded. Tell a node for which timestamps callers wait."""

    server_id: ServerId
    address: str
    items: tuple[tuple[VChannel, Timestamp], ...]


@dataclass(frozen=True, slots=True)
class CommitReport:
    """-> ReportCommitted | ReportRefused. Commit a report."""

    call: int
    report: SaveBinlogPathsRequest


@dataclass(frozen=True, slots=True)
class CommitMoves:
    """-> MovesCommitted | MovesRefused. Commit the checkpoints of idle vchannels."""

    call: int
    request: SaveCheckpointsRequest


@dataclass(frozen=True, slots=True)
class AnnounceFlushed:
    """Tell the watching node that segments are flushed; best effort. No event."""

    vchannel: VChannel
    segment_ids: tuple[SegmentId, ...]
    address: str


@dataclass(frozen=True, slots=True)
class AnnounceManifest:
    """Tell all proxies up to which timestamp a collection is in files; best effort. No event."""

    collection_id: CollectionId
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class StoreManifest:
    """-> ManifestStored | ManifestNotStored. Derive a manifest now, and store it."""

    collection_id: CollectionId


@dataclass(frozen=True, slots=True)
class LookUpCollection:
    """-> CollectionLookedUp. Find out whether meta has this collection."""

    call: int
    collection_id: CollectionId


@dataclass(frozen=True, slots=True)
class DoMaintenance:
    """-> MaintenanceEnded. Do one round of a task."""

    task: MaintenanceTask


Effect: TypeAlias = (
    Answer
    | WriteEpoch
    | SendWatches
    | Release
    | AskNode
    | SendHint
    | CommitReport
    | CommitMoves
    | AnnounceFlushed
    | AnnounceManifest
    | StoreManifest
    | LookUpCollection
    | DoMaintenance
)
