"""Events: what the data node's machine is told, in the past tense.

A request from outside carries a call id, which its `Answer` brings back.
"""

from dataclasses import dataclass
from typing import TypeAlias

from headrace.datanode.handoff import FetchedGroup, SyncKey, SyncPack
from headrace.model.channel import VChannel
from headrace.model.ids import Epoch, ServerId
from headrace.rpc.messages import (
    AwaitTimestampsRequest,
    NodeStateRequest,
    ReleaseDmChannelRequest,
    SegmentFlushedRequest,
    WatchDmChannelsRequest,
)

Call: TypeAlias = int  # a request from outside, answered by its number


@dataclass(frozen=True, slots=True)
class Registered:
    """The node has its session (again, as the same process)."""

    server_id: ServerId


@dataclass(frozen=True, slots=True)
class RegistrationLost:
    """The lease has ended, as far as the node can know."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The process is to end: store what is buffered, give the vchannels back."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A step of time."""


@dataclass(frozen=True, slots=True)
class WatchArrived:
    """The data service assigns vchannels."""

    call: Call
    request: WatchDmChannelsRequest


@dataclass(frozen=True, slots=True)
class ReleaseArrived:
    """The data service takes a vchannel back."""

    call: Call
    request: ReleaseDmChannelRequest


@dataclass(frozen=True, slots=True)
class StateAsked:
    """The data service asks what is watched."""

    call: Call
    request: NodeStateRequest


@dataclass(frozen=True, slots=True)
class AwaitArrived:
    """A caller waits until checkpoints have passed timestamps."""

    call: Call
    request: AwaitTimestampsRequest


@dataclass(frozen=True, slots=True)
class FlushAnnounced:
    """The data service announces that segments are flushed."""

    call: Call
    request: SegmentFlushedRequest


@dataclass(frozen=True, slots=True)
class GroupsFetched:
    """Messages came, in order. `corrupt`: what is wrong with the one after them, "" = nothing."""

    reader: int
    groups: tuple[FetchedGroup, ...]
    corrupt: str = ""


@dataclass(frozen=True, slots=True)
class FetchEnded:
    """A fetch was called off, as its reader was closed."""

    reader: int


@dataclass(frozen=True, slots=True)
class PackEncoded:
    """A sync's files are made: the pack has them in the place of its rows."""

    pack: SyncPack


@dataclass(frozen=True, slots=True)
class PackRefused:
    """A sync's rows are not what they must be, or its objects' keys are taken by other bytes."""

    key: SyncKey
    reason: str


@dataclass(frozen=True, slots=True)
class ObjectsStored:
    """All objects of a sync stand."""

    key: SyncKey


@dataclass(frozen=True, slots=True)
class PutFailed:
    """Not all of them are known to stand; `stored` are the keys of those that do."""

    key: SyncKey
    stored: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class ReportAnswered:
    """A report stands: `applied`, `done` or `forgotten`."""

    vchannel: VChannel
    epoch: Epoch
    outcome: str


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """A report was refused. `fenced`: another epoch has the vchannel."""

    vchannel: VChannel
    epoch: Epoch
    fenced: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ReportUnanswered:
    """What became of a report is unknown."""

    vchannel: VChannel
    epoch: Epoch
    reason: str


@dataclass(frozen=True, slots=True)
class MovesAnswered:
    """The checkpoints of idle vchannels were saved, but for those left out."""

    left_out: tuple[VChannel, ...]


@dataclass(frozen=True, slots=True)
class MovesUnanswered:
    """What became of them is unknown."""

    reason: str


@dataclass(frozen=True, slots=True)
class NewEpochAnswered:
    """The data service knows that a flowgraph ended."""

    vchannel: VChannel
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class NewEpochUnanswered:
    """It may not know."""

    vchannel: VChannel
    epoch: Epoch
    reason: str


Request: TypeAlias = WatchArrived | ReleaseArrived | StateAsked | AwaitArrived | FlushAnnounced
Event: TypeAlias = (
    Registered
    | RegistrationLost
    | StopAsked
    | TimePassed
    | Request
    | GroupsFetched
    | FetchEnded
    | PackEncoded
    | PackRefused
    | ObjectsStored
    | PutFailed
    | ReportAnswered
    | ReportRefused
    | ReportUnanswered
    | MovesAnswered
    | MovesUnanswered
    | NewEpochAnswered
    | NewEpochUnanswered
)
