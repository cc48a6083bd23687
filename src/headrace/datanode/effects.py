"""Effects: what the data node's machine orders.

Each is answered by exactly one event, but `CloseReader`, `Answer`, `Tell` and `Stopped`, which need
none. `attempt` counts the tries before this one: the wait before a try grows with it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from headrace.datanode.handoff import SyncPack
from headrace.model.channel import PChannel, VChannel
from headrace.model.ids import Epoch, MessageId, SegmentId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import (
    NewEpochRequest,
    SaveBinlogPathsRequest,
    SaveCheckpointsRequest,
)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read on; a reader that is not open yet begins with message `next_id`."""

    reader: int
    pchannel: PChannel
    next_id: MessageId
    credit_bytes: int


@dataclass(frozen=True, slots=True)
class CloseReader:
    """This reader has no flowgraph any more; its fetch under way is called off."""

    reader: int


@dataclass(frozen=True, slots=True)
class EncodePack:
    """Make the files of a sync."""

    pack: SyncPack


@dataclass(frozen=True, slots=True)
class PutObjects:
    """Store the objects that are left of a sync, if absent."""

    pack: SyncPack


@dataclass(frozen=True, slots=True)
class SendReport:
    """Report; `part` counts the transactions of this sync that stand already."""

    request: SaveBinlogPathsRequest
    attempt: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class SendMoves:
    """Report the checkpoints of idle vchannels."""

    request: SaveCheckpointsRequest
    attempt: int


@dataclass(frozen=True, slots=True)
class AskNewEpoch:
    """Tell the data service that a flowgraph ended by itself."""

    request: NewEpochRequest
    attempt: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a call: a response, or an error that is raised at the caller."""

    call: int
    response: Any


class FlowgraphNotice(StrEnum):
    """What an operator is told of a flowgraph."""

    WATCHED = "watched"
    RUNNING = "running"
    DRAINING = "draining"
    SYNC_REPORTED = "sync reported"
    PUT_FAILED = "put failed"
    ENDED = "ended"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Tell:
    """Log what happened to a flowgraph; values that are empty are left out."""

    happening: FlowgraphNotice
    vchannel: VChannel
    epoch: Epoch
    reason: str = ""
    position: Timestamp = 0
    segments: tuple[SegmentId, ...] = ()
    rows: int = 0
    flushed: tuple[SegmentId, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """All is stored and given back: the process may end."""


Effect: TypeAlias = (
    Fetch
    | CloseReader
    | EncodePack
    | PutObjects
    | SendReport
    | SendMoves
    | AskNewEpoch
    | Answer
    | Tell
    | Stopped
)
