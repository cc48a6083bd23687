"""What the leading master service orders: effects of its machine.

Each names the event that answers it.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from headrace.masterservice.events import Mark
from headrace.meta.records import CollectionRecord, DdlRecord, SequencerRecord
from headrace.model.channel import PChannel
from headrace.model.errors import HeadraceError
from headrace.model.ids import CollectionId, Revision, ServerId
from headrace.rpc.messages import SetClientStateRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """Give the caller this response. No event."""

    call: int
    response: Any


@dataclass(frozen=True, slots=True)
class Refuse:
    """Raise this at the caller. No event."""

    call: int
    error: HeadraceError


@dataclass(frozen=True, slots=True)
class TellClockJump:
    """Log that the wall clock jumped by so much. No event."""

    jump_ms: int


@dataclass(frozen=True, slots=True)
class WakeAt:
    """-> TimePassed, at this moment (monotonic seconds)."""

    when: float


@dataclass(frozen=True, slots=True)
class StandDown:
    """End this leadership; the next one reads anew what is recorded. No event."""

    reason: str


@dataclass(frozen=True, slots=True)
class MoveMark:
    """-> MarkMoved | MarkFailed."""

    mark: Mark
    value: int


@dataclass(frozen=True, slots=True)
class TryConnection:
    """-> ConnectionTried."""

    server_id: ServerId
    address: str


@dataclass(frozen=True, slots=True)
class StopSequencer:
    """-> SequencerStopped. The old one is asked first, so that a planned move costs no retry."""

    pchannel: PChannel
    server_id: ServerId
    address: str


@dataclass(frozen=True, slots=True)
class WriteSequencer:
    """-> SequencerStood, with what stands in the end. `revision` is that of the record that it
    replaces, 0 = there is none."""

    pchannel: PChannel
    record: SequencerRecord
    revision: Revision
    reason: str


@dataclass(frozen=True, slots=True)
class RecordCollection:
    """-> DdlRecorded | DdlNotRecorded. Positions of the pchannels are asked for first."""

    record: CollectionRecord
    ddl: DdlRecord


@dataclass(frozen=True, slots=True)
class RecordDdl:
    """-> DdlRecorded. `revision` is that of the collection's record that it replaces."""

    record: CollectionRecord
    ddl: DdlRecord
    revision: Revision
    old_name: str = ""  # of a rename: freed in the same transaction


@dataclass(frozen=True, slots=True)
class AppendDdl:
    """-> DdlAppended. Repeated until every sequencer has answered."""

    record: CollectionRecord
    ddl: DdlRecord


@dataclass(frozen=True, slots=True)
class NoteDdl:
    """-> DdlNoted. A noted drop frees the name and removes the clients' state."""

    record: CollectionRecord  # as it stands when the DDL is noted
    ddl: DdlRecord
    revision: Revision  # of the collection's record that it replaces


@dataclass(frozen=True, slots=True)
class StoreNames:
    """-> NamesStored. Repeated until the data service has answered."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class SetClientState:
    """-> ClientStateSet."""

    call: int
    request: SetClientStateRequest


@dataclass(frozen=True, slots=True)
class SweepTombstones:
    """-> TombstonesSwept."""

    collections: tuple[CollectionId, ...]


Effect: TypeAlias = (
    Answer
    | Refuse
    | TellClockJump
    | WakeAt
    | StandDown
    | MoveMark
    | TryConnection
    | StopSequencer
    | WriteSequencer
    | RecordCollection
    | RecordDdl
    | AppendDdl
    | NoteDdl
    | StoreNames
    | SetClientState
    | SweepTombstones
)
