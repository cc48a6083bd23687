"""What happened, as the machine of one pchannel is told: facts, in the past tense.

`attempt` numbers the attempts of this process to be the sequencer: what belongs to an earlier one
is ignored.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from headrace.meta.records import CollectionRecord, DdlRecord
from headrace.model.channel import VChannel
from headrace.model.entry import DigestItem
from headrace.model.ids import MessageId, Revision, ServerId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import AppendRequest, SealRequest

Call: TypeAlias = int  # a request from outside, answered by its number


@dataclass(frozen=True, slots=True)
class AssignmentRead:
    """The record of the assigned sequencer, as the watch brought it; server id 0: there is none."""

    server_id: ServerId
    revision: Revision


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The master service asks us to stop, or this process ends (then for good)."""

    call: Call
    for_good: bool = False


# ---- becoming the sequencer ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndRead:
    """The last message of the log was read; id 0: there never was one."""

    attempt: int
    message_id: MessageId
    timestamp: Timestamp  # of its last entry
    mark: MessageId  # the highest message id named by checkpoints or truncate, read before the log


@dataclass(frozen=True, slots=True)
class VChannelView:
    """A vchannel and its collection, as read from the meta store."""

    vchannel: VChannel
    record: CollectionRecord
    noted: DdlRecord | None  # the last DDL that is noted
    recorded: DdlRecord | None  # the one that is recorded and not noted


@dataclass(frozen=True, slots=True)
class MetaView:
    """All that a new sequencer needs, read linearizably at one revision."""

    wanted: ServerId
    assignment_revision: Revision  # of the record that names it
    mark: MessageId  # the highest message id named by checkpoints or truncate
    vchannels: tuple[VChannelView, ...]


@dataclass(frozen=True, slots=True)
class MetaRead:
    """The meta store was read after our TermStart stood."""

    attempt: int
    view: MetaView


@dataclass(frozen=True, slots=True)
class Past:
    """What a new sequencer knows of the messages before its TermStart."""

    items: tuple[DigestItem, ...] = field(repr=False)  # above the floors, in any order
    recent: tuple[DigestItem, ...] = field(repr=False)  # of messages above the last digest
    floor: Timestamp  # of ids first sent at or below it some may be missing
    digest: MessageId  # the last digest, 0 = none
    since: MessageId  # `recent` has all ids of messages above this one
    bytes_since: int
    messages_since: int


@dataclass(frozen=True, slots=True)
class WindowRead:
    """The digests and the tail of the log were read."""

    attempt: int
    past: Past


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """The log or the meta store could not be read now (end, meta or window)."""

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class CorruptRead:
    """What stands in the log or the meta store is not what we wrote."""

    attempt: int
    reason: str


class Found(StrEnum):
    """What stands at the id of a message that was sent, as far as the log could be read."""

    OURS = "ours"
    ANOTHER = "another"  # ours never will stand there
    NOTHING = "nothing"  # which is no outcome


# ---- the log -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AppendAnswered:
    """The log says that the message was taken, as this id."""

    attempt: int
    expected_last: MessageId
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class AppendUnanswered:
    """Refused, not sent, or the answer was lost: no outcome."""

    attempt: int
    expected_last: MessageId
    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What stands at the id of a message that was sent."""

    attempt: int
    message_id: MessageId
    found: Found


@dataclass(frozen=True, slots=True)
class DiskRead:
    """How much more the log's disk takes, None when not known."""

    free_bytes: int | None


# ---- the master service --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Granted:
    """Timestamps `first` .. `first + count - 1`, asked for by the ask of this number."""

    asked: int
    first: Timestamp
    count: int


@dataclass(frozen=True, slots=True)
class GrantWithheld:
    """The master service answered: this process is not the wanted sequencer."""

    asked: int


@dataclass(frozen=True, slots=True)
class GrantUnanswered:
    """The master service does not answer."""

    asked: int
    reason: str


@dataclass(frozen=True, slots=True)
class IdsLeased:
    """Ids `first` .. `first + count - 1` are ours."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class IdsUnanswered:
    """No ids for now."""

    reason: str


# ---- from outside --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AppendArrived:
    """A part of a client's request."""

    call: Call
    request: AppendRequest


@dataclass(frozen=True, slots=True)
class DdlArrived:
    """The master service has a recorded DDL appended."""

    call: Call
    record: CollectionRecord
    ddl: DdlRecord


@dataclass(frozen=True, slots=True)
class SealArrived:
    """The data service or a client's flush asks for Seals."""

    call: Call
    request: SealRequest


@dataclass(frozen=True, slots=True)
class PositionAsked:
    """The master service asks for the position of the last message."""

    call: Call


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Some time went by: something may be due."""


Event: TypeAlias = (
    AssignmentRead
    | StopAsked
    | EndRead
    | MetaRead
    | WindowRead
    | ReadFailed
    | CorruptRead
    | AppendAnswered
    | AppendUnanswered
    | Looked
    | DiskRead
    | Granted
    | GrantWithheld
    | GrantUnanswered
    | IdsLeased
    | IdsUnanswered
    | AppendArrived
    | DdlArrived
    | SealArrived
    | PositionAsked
    | TimePassed
)
