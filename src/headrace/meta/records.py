"""The values in the meta store, as JSON (`model.codec`), so that `etcdctl` shows what is there.

The records of collections, which messages carry too, stand in `model.collection`.
"""

from dataclasses import dataclass
from enum import StrEnum

from headrace.model.channel import PChannel, Position, VChannel
from headrace.model.collection import CollectionRecord as CollectionRecord
from headrace.model.collection import CollectionState as CollectionState
from headrace.model.collection import DdlRecord as DdlRecord
from headrace.model.collection import PartitionRecord as PartitionRecord
from headrace.model.ids import (
    CollectionId,
    Epoch,
    MessageId,
    PartitionId,
    SegmentId,
    ServerId,
    Version,
)
from headrace.model.segment import FileRef, SegmentState

LAYOUT_VERSION = 2


class Role(StrEnum):
    """The roles that register."""

    MASTER_SERVICE = "master-service"
    DATA_SERVICE = "data-service"
    DATA_NODE = "data-node"
    PROXY = "proxy"


class SessionState(StrEnum):
    """INITIALIZING until the peers are found."""

    INITIALIZING = "initializing"
    HEALTHY = "healthy"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A process that lives."""

    role: Role
    node_name: str
    server_id: ServerId
    address: str  # host:port of its headrace.v1 server
    state: SessionState
    public_address: str = ""  # a proxy's front door


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderRecord:
    """The process that leads a role."""

    server_id: ServerId
    node_name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRecord:
    """The pchannels, made at first start; another setting later is an error."""

    pchannels: tuple[PChannel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecord:
    """The object store that is this cluster's: it bears the cluster's id, once it is marked."""

    cluster: str  # hexadecimal, made at first start
    marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencerRecord:
    """The assignment: which process should be the sequencer of a pchannel."""

    server_id: ServerId
    node_name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PChannelRecord:
    """The vchannels that a pchannel carries, and below which message id it may be truncated."""

    vchannels: tuple[VChannel, ...] = ()
    truncation_mark: MessageId = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """A vchannel's assignment. server_id 0 = no node yet. `ended`: the vchannel is dropped."""

    epoch: Epoch
    server_id: ServerId
    node_name: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """The channel checkpoint. Nothing below `start` is the vchannel's.

    `dropped`: it has passed the collection's drop; `dropped_partitions`: those whose drop it has
    passed. The transaction that moves it there thereby drops any number of segments at once; their
    own records follow later.
    """

    position: Position
    start: Position
    dropped: bool = False
    dropped_partitions: tuple[PartitionId, ...] = ()

    def drops(self, partition_id: PartitionId) -> bool:
        """Whether the segments of a partition are dropped, whatever their records still say."""
        return self.dropped or partition_id in self.dropped_partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletesRecord:
    """The delete checkpoint: deletes at or below it stand in delta logs."""

    checkpoint: Position
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRecord:
    """A segment: its files and the position up to which they hold its rows."""

    id: SegmentId
    collection_id: CollectionId
    partition_id: PartitionId
    vchannel: VChannel
    version: Version
    state: SegmentState
    rows: int
    start: Position
    checkpoint: Position
    files: tuple[FileRef, ...]

    @property
    def size_bytes(self) -> int:
        return sum(f.size_bytes for f in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRecord:
    """Flushed segments of one vchannel in one key; `object_key` is their bundle in the store."""

    segments: tuple[SegmentRecord, ...]
    object_key: str = ""
