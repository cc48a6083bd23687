"""What the roles say to each other: requests and responses as frozen dataclasses.

**Owns** the messages and their field numbers: the order of declaration, so fields are only ever
appended. `proto/rpc.proto` (package `headrace.v1`) is generated from this module, and the protobuf
code from that (`make proto`; a test compares). **Does not own** transport (`rpc.api`) or meaning
(the roles' machines).

`@answered_by(Response)` ties a request to its response. Timestamps are hybrid, positions are whole
values. Where a server id stands in a request to a role, a role with another id answers `Fenced`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from headrace.model.entry import Body
from headrace.model.position import Position
from headrace.model.segment import FileRef

RESPONSE_OF: dict[type, type] = {}

C = TypeVar("C", bound=type)


def answered_by(response: type) -> Callable[[C], C]:
    """Class decorator: names the response of a request."""

    def register(request: C) -> C:
        RESPONSE_OF[request] = response
        return request

    return register


@dataclass(frozen=True, slots=True)
class Done:
    """It is done (now, or it already was)."""


# ---- any role ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResponse:
    """What a role says of itself, for `headrace status` and `inspect`: JSON, free of secrets."""

    role: str
    node_name: str
    server_id: int
    state: str  # initializing, healthy, stopping
    details: bytes = b"{}"


@answered_by(StatusResponse)
@dataclass(frozen=True, slots=True)
class StatusRequest:
    """How are you? `topic` is one of "", nodes, channels, segments, checkpoints, story:WHAT."""

    topic: str = ""


# ---- master service ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantResponse:
    """Timestamps `first` .. `first + count - 1`, disjoint from all others, to be used only in
    `pchannels`: those of the request for which the asker is the wanted sequencer."""

    first: int
    count: int
    pchannels: tuple[str, ...]


@answered_by(GrantResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """A sequencer process asks for timestamps, one call in flight for all its pchannels."""

    server_id: int
    count: int
    pchannels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllocTimestampResponse:
    """One timestamp, above all granted before it was asked for."""

    timestamp: int


@answered_by(AllocTimestampResponse)
@dataclass(frozen=True, slots=True)
class AllocTimestampRequest:
    """Anyone asks for one timestamp (a flush, a client's AllocTimestamp)."""


@dataclass(frozen=True, slots=True)
class AllocIdsResponse:
    """Ids `first` .. `first + count - 1`, never given out before or again."""

    first: int
    count: int


@answered_by(AllocIdsResponse)
@dataclass(frozen=True, slots=True)
class AllocIdsRequest:
    """Anyone leases a range of ids (segments, rows, automatic keys)."""

    count: int


@dataclass(frozen=True, slots=True)
class CollectionResponse:
    """A collection as it stands: JSON of `meta.records.CollectionRecord`."""

    record: bytes


@answered_by(CollectionResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCollectionRequest:
    """Create; again with the same schema it is done, with another `Invalid`."""

    name: str
    schema: bytes  # JSON of `model.schema.Schema`
    shards: int
    consistency_level: int = 0
    properties: bytes = b"{}"  # JSON object of strings
    partitions: int = 0  # of a partition key; 0 = none


@answered_by(Done)
@dataclass(frozen=True, slots=True)
class DropCollectionRequest:
    """Drop; done as well when it is absent."""

    name: str


@answered_by(Done)
@dataclass(frozen=True, slots=True)
class RenameCollectionRequest:
    """Give a collection another name; `Invalid` when that is taken, `NotFound` when absent."""

    name: str
    new_name: str


@answered_by(Done)
@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRequest:
    """Create or drop a partition; done as well when it is already so."""

    collection: str
    partition: str
    drop: bool = False


@answered_by(Done)
@dataclass(frozen=True, slots=True, kw_only=True)
class RememberRequest:
    """Keep (or with an empty value forget) what a client said of a collection: indexes, loads.

    `topic` is e.g. `index/FIELD/NAME` or `load`; it goes with the collection.
    """

    collection_id: int
    topic: str
    value: bytes


@answered_by(Done)
@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectRequest:
    """The asker's connection to this process was refused or reset: try it yourself.

    Sent to the master service about proxies, to the data service about data nodes.
    """

    server_id: int
    address: str


# ---- sequencer (in a proxy process) ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendResponse:
    """Where a part stands. `outcome` is `done` (now or already), `stale` (encode anew by version
    `version`, same ids), `unknown` (below the window's floor: it may stand or not; never appended),
    `refused` (for `reason`; nothing stands or will come to stand by this call: again, later; an
    earlier call under the same id may have had another end). `Unavailable` instead of a response
    says nothing about the outcome; `Fenced` says that nothing stands by this call either.

    Of a repeat, `repeated` is set and `keys` holds the key column of the stored entry (Arrow IPC),
    since automatic keys may differ from those that the repeat brought.
    """

    outcome: str
    timestamp: int = 0
    message_id: int = 0
    rows: int = 0
    deletes: int = 0
    version: int = 0
    repeated: bool = False
    keys: Body = field(default=b"", repr=False)
    reason: str = ""


@answered_by(AppendResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRequest:
    """One part of a client's request, for one vchannel; see `model.entry.Rows` for the fields."""

    vchannel: str
    collection_id: int
    partition_id: int
    version: int
    part_id: bytes
    fingerprint: bytes
    first_sent: int
    keyed: bool
    rows: int
    body: Body = field(default=b"", repr=False)
    deletes: int = 0
    delete_body: Body = field(default=b"", repr=False)
    row_bytes: int = 0  # bytes of row bodies, for segment sizes
    deadline_ms: int = 60_000  # how long the asker waits from the sending on


@dataclass(frozen=True, slots=True)
class PositionResponse:
    """The position of the last message that the sequencer knows to stand."""

    position: Position


@answered_by(PositionResponse)
@dataclass(frozen=True, slots=True)
class LastPositionRequest:
    """Where does this pchannel stand?"""

    pchannel: str


@dataclass(frozen=True, slots=True)
class VChannelPosition:
    """A position of one vchannel."""

    vchannel: str
    position: Position


@dataclass(frozen=True, slots=True)
class AppendDdlResponse:
    """Where the DDL stands in each vchannel of the collection that this pchannel carries."""

    positions: tuple[VChannelPosition, ...]


@answered_by(AppendDdlResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class AppendDdlRequest:
    """The master service has a recorded DDL appended; repeated until it is answered."""

    pchannel: str
    record: bytes  # JSON of `meta.records.CollectionRecord` as recorded with this DDL
    ddl: bytes  # JSON of `meta.records.DdlRecord`


@dataclass(frozen=True, slots=True, kw_only=True)
class SealResponse:
    """All that was open of the collection is sealed above the timestamp asked for."""

    position: Position
    segment_ids: tuple[int, ...]


@answered_by(SealResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class SealRequest:
    """Append Seals of the collection's open segments (or only of those named) above `above`, or a
    tick where nothing is open. collection_id 0 = all collections."""

    pchannel: str
    collection_id: int
    above: int
    segment_ids: tuple[int, ...] = ()


@answered_by(Done)
@dataclass(frozen=True, slots=True, kw_only=True)
class StopSequencingRequest:
    """The master service asks the old sequencer to stop, before a planned move."""

    server_id: int
    pchannel: str


# ---- data service ------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class SaveBinlogPathsResponse:
    """`applied` now, or `done` already (an answer was lost), or `forgotten` (segment dropped)."""

    outcome: str


@answered_by(SaveBinlogPathsResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
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
@dataclass(frozen=True, slots=True)
class SaveCheckpointsRequest:
    """The checkpoints of a node's idle vchannels in one report."""

    server_id: int
    moves: tuple[CheckpointMove, ...]


@answered_by(Done)
@dataclass(frozen=True, slots=True, kw_only=True)
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


@answered_by(FlushStateResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class FlushStateRequest:
    """Have all vchannels passed the timestamp, and is a snapshot list at or above it stored?

    collection_id 0 = all collections. Asking is also the hint that someone waits.
    """

    collection_id: int
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentInfo:
    """One segment as meta has it."""

    segment_id: int
    collection_id: int
    partition_id: int
    vchannel: str
    rows: int
    state: str
    size_bytes: int
    node_id: int


@dataclass(frozen=True, slots=True)
class SegmentsResponse:
    """Segments in order of id."""

    segments: tuple[SegmentInfo, ...]


@answered_by(SegmentsResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsRequest:
    """The segments of a collection that are not dropped (0 = of all)."""

    collection_id: int


@answered_by(Done)
@dataclass(frozen=True, slots=True)
class StoreNamesRequest:
    """Store the list of names (collections/REVISION.json) as of a meta revision not below this."""

    revision: int


# ---- data node ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSegment:
    """A segment that the flowgraph must know of; rows at or below `checkpoint` are stored."""

    segment_id: int
    partition_id: int
    version: int
    state: str
    start: Position | None
    checkpoint: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSchema:
    """A version of the collection: in force from its DDL's position on."""

    version: int
    schema: bytes  # JSON of `model.schema.Schema`
    kind: str  # `model.entry.DdlKind`
    timestamp: int = 0  # of its DDL entry in this vchannel, 0 = not noted yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One assignment: see the protocol, "Who watches a vchannel"."""

    vchannel: str
    epoch: int
    collection_id: int
    seek: Position
    deletes_checkpoint: Position | None
    schemas: tuple[WatchedSchema, ...]
    segments: tuple[WatchedSegment, ...]
    dropped_partitions: tuple[int, ...] = ()


@answered_by(Done)
@dataclass(frozen=True, slots=True)
class WatchDmChannelsRequest:
    """Take these vchannels; answered when accepted, progress is told by `NodeStateRequest`."""

    server_id: int
    watches: tuple[Watch, ...]


@answered_by(Done)
@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDmChannelRequest:
    """Give a vchannel back: sync what is buffered first if `drain`, then end the epoch."""

    server_id: int
    vchannel: str
    epoch: int
    drain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """One flowgraph. `state` is starting, running, draining, released or failed."""

    vchannel: str
    epoch: int
    state: str
    consumed: Position | None
    checkpoint: Position | None
    buffered_bytes: int
    blocker: str = ""  # what holds the checkpoint, in words
    reason: str = ""  # of a failure


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStateResponse:
    """All flowgraphs of a node, ended ones until their successor is watched."""

    server_id: int
    channels: tuple[ChannelState, ...]


@answered_by(NodeStateResponse)
@dataclass(frozen=True, slots=True)
class NodeStateRequest:
    """What do you watch?"""

    server_id: int


@dataclass(frozen=True, slots=True)
class AwaitedTimestamp:
    """Someone waits until the checkpoint of this vchannel has passed the timestamp."""

    vchannel: str
    timestamp: int


@answered_by(Done)
@dataclass(frozen=True, slots=True)
class AwaitTimestampsRequest:
    """Report checkpoints of these vchannels at once when they have passed."""

    server_id: int
    items: tuple[AwaitedTimestamp, ...]


@answered_by(Done)
@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFlushedRequest:
    """The data service announces that segments are flushed: to the data node that watches the
    vchannel and to the proxies."""

    vchannel: str
    segment_ids: tuple[int, ...]
