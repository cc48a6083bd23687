"""What the machine of one pchannel orders; each order is answered by the event behind the arrow.

`delay_s` is waited before the order is carried out: what failed is repeated, with growing pauses
that the machine decides.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from headrace.model.channel import PChannel
from headrace.model.entry import Body, PartId
from headrace.model.errors import HeadraceError
from headrace.model.ids import MessageId, ServerId, Term
from headrace.model.timestamp import Timestamp
from headrace.sequencer.events import Call


class SequencerNotice(StrEnum):
    """What an operator may want to know of the sequencer of a pchannel."""

    SEQUENCES = "sequencing"
    HANDED_OVER = "handed over"
    STOPPED = "stopped sequencing"
    REPLACED = "was replaced"
    CORRUPT = "pchannel is corrupt"  # needs a person


@dataclass(frozen=True, slots=True)
class ReadEnd:
    """-> EndRead | ReadFailed | CorruptRead. Checkpoints first, then the end of the log."""

    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class ReadMeta:
    """-> MetaRead | ReadFailed | CorruptRead. Linearizably, never from a cache."""

    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """-> WindowRead | ReadFailed | CorruptRead. Backwards from the message below `term`, until
    everything further back has timestamps at or below `until`."""

    attempt: int
    term: Term
    until: Timestamp
    delay_s: float


@dataclass(frozen=True, slots=True)
class Append:
    """-> AppendAnswered | AppendUnanswered. `what` is term-start, group or digest."""

    attempt: int
    expected_last: MessageId
    parts: tuple[Body, ...] = field(repr=False)
    what: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """-> Looked: whether these bytes stand at the id. When the log cannot be reached, nothing was
    found."""

    attempt: int
    message_id: MessageId
    parts: tuple[Body, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskGrant:
    """-> Granted | GrantWithheld | GrantUnanswered. The call begins after this order."""

    asked: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class LeaseIds:
    """-> IdsLeased | IdsUnanswered."""

    count: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Give the caller this response. No event."""

    call: Call
    response: Any


@dataclass(frozen=True, slots=True)
class AnswerStored:
    """Give the caller of a repeat the first result, read from the stored entry. No event.

    `key` is the name of the key column; `timeout_s` how long the caller still waits.
    """

    call: Call
    message_id: MessageId
    index: int
    part_id: PartId
    key: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Raise this at the caller. No event."""

    call: Call
    error: HeadraceError


@dataclass(frozen=True, slots=True)
class Tell:
    """Log this. No event."""

    happening: SequencerNotice
    pchannel: PChannel
    term: Term | None = None
    wanted: ServerId | None = None
    reason: str | None = None


Effect: TypeAlias = (
    ReadEnd
    | ReadMeta
    | ReadWindow
    | Append
    | Look
    | AskGrant
    | LeaseIds
    | Answer
    | AnswerStored
    | Refuse
    | Tell
)
