"""What the data service is asked: to commit what nodes stored, how far a flush is."""

from dataclasses import dataclass
from enum import StrEnum

from headrace.model.channel import Position
from headrace.model.segment import FileRef, SegmentState
from headrace.rpc.messages.registry import Done, answered_by


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport:
    """New files of one segment. `extends` is the segment checkpoint that it extends (None = the
    segment is new), `checkpoint` the new one; `rows` are those of the new files."""

    segment_id: int
    collection_id: int
    partition_id: int
    version: int
    files: tuple[FileRef, ...]
    rows: int
    start: Position
    extends: Position | None
    checkpoint: Position
    flushed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletesReport:
    """New delta logs of the vchannel and the delete checkpoint that they extend and bring."""

    files: tuple[FileRef, ...]
    rows: int
    extends: Position | None
    checkpoint: Position


class ReportOutcome(StrEnum):
    """What became of a report."""

    APPLIED = "applied"  # by this call
    DONE = "done"  # by an earlier one, whose answer was lost
    FORGOTTEN = "forgotten"  # its segments are dropped


@dataclass(frozen=True, slots=True)
class SaveBinlogPathsResponse:
    """The report stands, or need not."""

    outcome: ReportOutcome


@answered_by(SaveBinlogPathsResponse, kw_only=True)
class SaveBinlogPathsRequest:
    """One transaction's worth of a sync, one at a time a vchannel. The channel checkpoint moves
    from `channel_extends` to `channel_checkpoint` (equal where a later report of the same sync
    moves it). `dropped`: the checkpoint passes the collection's drop. `dropped_partitions`:
    partitions whose drop it passes. `Fenced` (another epoch), `Conflict` (something else
    stands)."""

    server_id: int
    vchannel: str
    epoch: int
    segments: tuple[SegmentReport, ...]
    deletes: DeletesReport | None
    channel_extends: Position
    channel_checkpoint: Position
    dropped: bool = False
    dropped_partitions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointMove:
    """The channel checkpoint of an idle vchannel moves, nothing else."""

    vchannel: str
    epoch: int
    extends: Position
    checkpoint: Position


@dataclass(frozen=True, slots=True)
class SaveCheckpointsResponse:
    """The vchannels whose move failed; they are sent again alone, as SaveBinlogPaths."""

    left_out: tuple[str, ...]


@answered_by(SaveCheckpointsResponse)
class SaveCheckpointsRequest:
    """The checkpoints of a node's idle vchannels in one report."""

    server_id: int
    moves: tuple[CheckpointMove, ...]


@answered_by(Done, kw_only=True)
class NewEpochRequest:
    """A flowgraph failed (or its report met `Conflict`): it ended, give the vchannel a new
    epoch."""

    server_id: int
    vchannel: str
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushStateResponse:
    """Whether the flush is done; else what it waits for, in words."""

    flushed: bool
    waits_for: str = ""


@answered_by(FlushStateResponse, kw_only=True)
class FlushStateRequest:
    """Have all vchannels passed the timestamp, and is a manifest at or above it stored?

    Asked of one collection, or (0) of all of `collection_ids`: who asks knows best which there
    are. Asking is also the hint that someone waits.
    """

    collection_id: int
    timestamp: int
    collection_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentInfo:
    """One segment as meta has it."""

    segment_id: int
    collection_id: int
    partition_id: int
    vchannel: str
    rows: int
    state: SegmentState
    size_bytes: int
    node_id: int


@dataclass(frozen=True, slots=True)
class SegmentsResponse:
    """Segments in order of id."""

    segments: tuple[SegmentInfo, ...]


@answered_by(SegmentsResponse, kw_only=True)
class SegmentsRequest:
    """The segments of a collection that are not dropped (0 = of all)."""

    collection_id: int


@answered_by(Done)
class StoreNamesRequest:
    """Store the list of names (collections/REVISION.json) as of a meta revision not below this."""

    revision: int
