"""What a sequencer is asked: to append, to seal, where its pchannel stands."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from headrace.model.channel import Position
from headrace.model.collection import CollectionRecord, DdlRecord
from headrace.rpc.messages.registry import Done, answered_by

if TYPE_CHECKING:
    from headrace.model.entry import Body
else:
    Body = memoryview  # as msgspec reads it: a view of the received bytes


class AppendOutcome(StrEnum):
    """What became of a part. After `refused` and `full` nothing stands or will come to stand by
    this call; an earlier one under the same id may have had another end."""

    DONE = "done"  # now, or it already was
    STALE = "stale"  # encode it anew by `version`, under the same ids
    UNKNOWN = "unknown"  # below the window's floor: it may stand or not, and is never appended
    REFUSED = "refused"  # for `reason`: again, later
    FULL = "full"  # refused since the log's disk is too full


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendResponse:
    """Where a part stands. `Unavailable` instead of a response says nothing about the outcome;
    `Fenced` says that nothing stands by this call.

    Of a repeat, `repeated` is set and `keys` holds the key column of the stored entry (Arrow IPC),
    since automatic keys may differ from those that the repeat brought.
    """

    outcome: AppendOutcome
    timestamp: int = 0
    message_id: int = 0
    rows: int = 0
    deletes: int = 0
    version: int = 0
    repeated: bool = False
    keys: Body = field(default=b"", repr=False)
    reason: str = ""


@answered_by(AppendResponse, kw_only=True)
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
    delete_partition_id: int = 0


@dataclass(frozen=True, slots=True)
class PositionResponse:
    """The position of the last message that the sequencer knows to stand."""

    position: Position


@answered_by(PositionResponse)
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


@answered_by(AppendDdlResponse, kw_only=True)
class AppendDdlRequest:
    """The master service has a recorded DDL appended; repeated until it is answered."""

    pchannel: str
    record: CollectionRecord  # as recorded with this DDL
    ddl: DdlRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SealResponse:
    """All that was open of the collection is sealed above the timestamp asked for."""

    position: Position
    segment_ids: tuple[int, ...]


@answered_by(SealResponse, kw_only=True)
class SealRequest:
    """Append Seals of the collection's open segments (or only of those named) above `above`, or a
    tick where nothing is open. collection_id 0 = all collections."""

    pchannel: str
    collection_id: int
    above: int
    segment_ids: tuple[int, ...] = ()


@answered_by(Done, kw_only=True)
class StopSequencingRequest:
    """The master service asks the old sequencer to stop, before a planned move."""

    server_id: int
    pchannel: str
