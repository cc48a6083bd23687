"""What a data node is asked: to watch, to give back, what it does."""

from dataclasses import dataclass
from enum import StrEnum

from headrace.model.channel import Position
from headrace.model.schema import Schema
from headrace.model.segment import SegmentState
from headrace.rpc.messages.registry import Done, answered_by


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSegment:
    """A segment that the flowgraph must know of; rows at or below `checkpoint` are stored."""

    segment_id: int
    partition_id: int
    version: int
    state: SegmentState
    start: Position | None
    checkpoint: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSchema:
    """A version of the collection: in force from its DDL's position on."""

    version: int
    schema: Schema
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
class WatchDmChannelsRequest:
    """Take these vchannels; answered when accepted, progress is told by `NodeStateRequest`."""

    server_id: int
    watches: tuple[Watch, ...]


@answered_by(Done, kw_only=True)
class ReleaseDmChannelRequest:
    """Give a vchannel back: sync what is buffered first if `drain`, then end the epoch."""

    server_id: int
    vchannel: str
    epoch: int
    drain: bool = True


class FlowgraphState(StrEnum):
    """The life of a flowgraph; the last two are its ends."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    RELEASED = "released"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """One flowgraph."""

    vchannel: str
    epoch: int
    state: FlowgraphState
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
class NodeStateRequest:
    """What do you watch?"""

    server_id: int


@dataclass(frozen=True, slots=True)
class AwaitedTimestamp:
    """Someone waits until the checkpoint of this vchannel has passed the timestamp."""

    vchannel: str
    timestamp: int


@answered_by(Done)
class AwaitTimestampsRequest:
    """Report checkpoints of these vchannels at once when they have passed."""

    server_id: int
    items: tuple[AwaitedTimestamp, ...]


@answered_by(Done, kw_only=True)
class SegmentFlushedRequest:
    """The data service tells the node that watches the vchannel: these segments are flushed for
    good. Best effort."""

    vchannel: str
    segment_ids: tuple[int, ...]
