"""The machine of a leading master service: every decision of it, and nothing else.

**Owns** the dispatch of events to the parts (`timestamps`, `ids`, `sequencers`, `ddl`, `names`),
requests held until a mark has moved, and when it wants to be woken. **Does not own** the decisions
of the parts, or how effects are carried out (`shell`).

It lives as long as one leadership. All that it knows was read at or after the election; its
successor, in this process or another, reads anew. So nothing in here has to survive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from headrace.masterservice.allocation.ids import Ids
from headrace.masterservice.allocation.timestamps import Timestamps
from headrace.masterservice.collections.client_state import check_said
from headrace.masterservice.collections.ddl import Ddls
from headrace.masterservice.collections.names import Names
from headrace.masterservice.effects import (
    Answer,
    Effect,
    MoveMark,
    Refuse,
    SetClientState,
    StandDown,
    SweepTombstones,
    Tell,
    WakeAt,
)
from headrace.masterservice.events import (
    Asked,
    ClientStateSet,
    ConnectionTried,
    CreateAsked,
    DdlAppended,
    DdlAsked,
    DdlNoted,
    DdlNotRecorded,
    DdlRecorded,
    DropAsked,
    Event,
    GrantAsked,
    IdsAsked,
    LeadershipBegan,
    LeadershipLost,
    Mark,
    MarkFailed,
    MarkMoved,
    NamesStored,
    PartitionAsked,
    ProxiesListed,
    ProxySuspected,
    RenameAsked,
    SequencerStood,
    SequencerStopped,
    SetClientStateAsked,
    TimePassed,
    TimestampAsked,
    TombstonesSwept,
)
from headrace.masterservice.sequencers.assignment import Sequencers
from headrace.masterservice.settings import MasterServiceSettings
from headrace.model.errors import Invalid, Unavailable
from headrace.model.ids import Revision
from headrace.model.refusals import Refusal
from headrace.rpc.messages import AllocIdsResponse, AllocTimestampResponse, Done, GrantResponse

HELD_MOST = 10_000  # requests that wait for a mark; more are refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the machine is made of, from what was read at the beginning of the leadership."""

    timestamps: Timestamps
    ids: Ids
    sequencers: Sequencers
    ddls: Ddls
    names: Names
    revision: Revision  # of the meta store when it was read


class MasterMachine:
    """See the module. Implements `runtime.driver.Machine`."""

    def __init__(self, parts: Parts, settings: MasterServiceSettings) -> None:
        self._parts = parts
        self._settings = settings
        self._held: list[Asked] = []  # until a mark has moved
        self._alarms: dict[float, None] = {}  # the moments it will be woken at
        self._sweep_at: float | None = None  # None: a sweep is under way
        self._retry_marks_at: float | None = None  # after a failure
        self._lost = False

    @property
    def sequencers(self) -> Sequencers:
        """For `headrace status`."""
        return self._parts.sequencers

    def step(self, event: Event, now: float) -> Sequence[Effect]:
        """See `Machine.step`."""
        if self._lost:
            return ()
        if isinstance(event, TimePassed):
            now = max(now, event.when)  # an alarm may ring a rounding error early
        effects = self._react(event, now)
        while (released := self._parts.ddls.released()) is not None:
            effects += self._asked(released, now)
        if not self._lost:
            effects += self._marks(now)
            effects += self._rearm(now)
        return effects

    def _react(self, event: Event, now: float) -> list[Effect]:
        parts = self._parts
        match event:
            case LeadershipBegan():
                self._sweep_at = now + self._settings.tombstone_sweep_s
                return [*parts.names.changed(parts.revision), *parts.ddls.begin()]
            case LeadershipLost():
                self._lost = True
                return [StandDown(event.reason)]
            case TimePassed():
                return self._time_passed(event, now)
            case MarkMoved() | MarkFailed():
                return self._mark(event, now)
            case GrantAsked() | TimestampAsked() | IdsAsked() | SetClientStateAsked():
                return self._asked(event, now)
            case CreateAsked() | DropAsked() | RenameAsked() | PartitionAsked():
                return self._asked(event, now)
            case ProxiesListed():
                return parts.sequencers.listed(event.proxies, now)
            case ProxySuspected():
                return parts.sequencers.suspected(event.server_id, event.address, now)
            case ConnectionTried():
                return parts.sequencers.tried(event.server_id, event.reached, now)
            case SequencerStopped():
                return parts.sequencers.stopped(event.pchannel, now)
            case SequencerStood():
                return parts.sequencers.stands(event.pchannel, event.record, event.revision, now)
            case DdlRecorded():
                return parts.ddls.recorded(event)
            case DdlNotRecorded():
                return parts.ddls.not_recorded(event)
            case DdlAppended():
                return parts.ddls.appended(event)
            case DdlNoted():
                return parts.ddls.noted(event)
            case NamesStored():
                return parts.names.stored(event.revision)
            case ClientStateSet():
                return [_answer(event.call, event.error, Done())]
            case TombstonesSwept():
                parts.ddls.removed(event.removed)
                self._sweep_at = now + self._settings.tombstone_sweep_s
                return []
            case _:
                assert_never(event)

    # ---- what is asked -----------------------------------------------------------------------

    def _asked(self, asked: Asked, now: float) -> list[Effect]:
        match asked:
            case GrantAsked():
                return self._grant(asked, now)
            case TimestampAsked():
                return self._timestamp(asked, now)
            case IdsAsked():
                return self._lease_ids(asked)
            case SetClientStateAsked():
                return self._set_client_state(asked)
            case _:
                return self._ddl(asked, now)

    def _grant(self, asked: GrantAsked, now: float) -> list[Effect]:
        effects = self._jump(asked.wall_ms, now)
        if now >= asked.leads_until:
            return [*effects, _unsure(asked.call)]
        wanted = self._parts.sequencers.granted(asked.server_id, asked.pchannels)
        count = max(1, min(asked.count, self._settings.grant_max)) if wanted else 0
        first = self._parts.timestamps.take(count, now)
        if first is None:
            return effects + self._hold(asked)
        response = GrantResponse(first=first, count=count, pchannels=wanted)
        return [*effects, Answer(asked.call, response)]

    def _timestamp(self, asked: TimestampAsked, now: float) -> list[Effect]:
        effects = self._jump(asked.wall_ms, now)
        if now >= asked.leads_until:
            return [*effects, _unsure(asked.call)]
        first = self._parts.timestamps.take(1, now)
        if first is None:
            return effects + self._hold(asked)
        return [*effects, Answer(asked.call, AllocTimestampResponse(first))]

    def _lease_ids(self, asked: IdsAsked) -> list[Effect]:
        most = self._settings.ids_max
        if not 1 <= asked.count <= most:
            error = Invalid(f"count is {asked.count}; 1 to {most} ids can be leased", field="count")
            return [Refuse(asked.call, error)]
        first = self._parts.ids.take(asked.count)
        if first is None:
            return self._hold(asked)
        return [Answer(asked.call, AllocIdsResponse(first, asked.count))]

    def _set_client_state(self, asked: SetClientStateAsked) -> list[Effect]:
        if self._parts.ddls.find(asked.collection_id) is None:
            error = Refusal.COLLECTION_ID_NOT_FOUND(at="collectionID", id=asked.collection_id)
            return [Refuse(asked.call, error)]
        try:
            check_said(asked.topic, asked.value)
        except Invalid as invalid:
            return [Refuse(asked.call, invalid)]
        return [SetClientState(asked.call, asked.collection_id, asked.topic, asked.value)]

    def _ddl(self, asked: DdlAsked, now: float) -> list[Effect]:
        needed = self._parts.ddls.ids_needed(asked)
        first_id = self._parts.ids.take(needed) if needed else 0
        timestamp = self._parts.timestamps.take(1, now)
        if first_id is None or timestamp is None:
            return self._hold(asked)
        return self._parts.ddls.asked(asked, first_id, timestamp)

    def _hold(self, asked: Asked) -> list[Effect]:
        if len(self._held) >= HELD_MOST:
            return [Refuse(asked.call, Unavailable("too many requests wait for the meta store"))]
        self._held.append(asked)
        return []

    def _jump(self, wall_ms: int, now: float) -> list[Effect]:
        jump = self._parts.timestamps.jump_ms(wall_ms, now)
        if not jump:
            return []
        return [Tell("the wall clock jumped; timestamps count on without it", {"jump_ms": jump})]

    # ---- marks -------------------------------------------------------------------------------

    def _mark(self, event: MarkMoved | MarkFailed, now: float) -> list[Effect]:
        source = self._parts.ids if event.mark is Mark.IDS else self._parts.timestamps
        held, self._held = self._held, []
        if isinstance(event, MarkMoved):
            source.mark_moved(event.value)
            return [effect for asked in held for effect in self._asked(asked, now)]
        source.mark_failed()
        self._retry_marks_at = now + self._settings.retry_most_s
        error = Unavailable(f"the meta store does not answer: {event.reason}")
        return [Refuse(asked.call, error) for asked in held]

    def _marks(self, now: float) -> list[Effect]:
        if self._retry_marks_at is not None:
            if now < self._retry_marks_at:
                return []
            self._retry_marks_at = None
        effects: list[Effect] = []
        mark = self._parts.timestamps.move_mark(now)
        if mark is not None:
            effects.append(MoveMark(Mark.TIMESTAMPS, mark))
        need = max((self._needed(asked) for asked in self._held), default=0)
        mark = self._parts.ids.move_mark(need)
        if mark is not None:
            effects.append(MoveMark(Mark.IDS, mark))
        return effects

    def _needed(self, asked: Asked) -> int:
        match asked:
            case IdsAsked():
                return asked.count
            case CreateAsked() | DropAsked() | RenameAsked() | PartitionAsked():
                return self._parts.ddls.ids_needed(asked)
            case _:
                return 0

    # ---- time --------------------------------------------------------------------------------

    def _time_passed(self, event: TimePassed, now: float) -> list[Effect]:
        self._alarms.pop(event.when, None)
        effects = self._parts.sequencers.time_passed(now)
        if self._sweep_at is not None and now >= self._sweep_at:
            tombstones = self._parts.ddls.tombstones()
            self._sweep_at = None if tombstones else now + self._settings.tombstone_sweep_s
            if tombstones:
                effects.append(SweepTombstones(tombstones))
        return effects

    def _rearm(self, now: float) -> list[Effect]:
        """An alarm is set at or before the next moment at which something is due."""
        dues = [self._sweep_at, self._retry_marks_at, self._parts.sequencers.due(now)]
        if self._retry_marks_at is None:
            dues.append(self._parts.timestamps.due())
        due = min((at for at in dues if at is not None and at > now), default=None)
        if due is None or any(alarm <= due for alarm in self._alarms):
            return []
        self._alarms[due] = None
        return [WakeAt(due)]

    def validate(self) -> None:
        """See `Machine.validate`."""
        self._parts.timestamps.validate()
        self._parts.ids.validate()
        self._parts.sequencers.validate()
        self._parts.ddls.validate()
        self._parts.names.validate()
        assert len(self._held) <= HELD_MOST


def _answer(call: int, error: Any, response: Any) -> Effect:
    return Answer(call, response) if error is None else Refuse(call, error)


def _unsure(call: int) -> Effect:
    return Refuse(call, Unavailable("the master service is not sure that it still leads"))
