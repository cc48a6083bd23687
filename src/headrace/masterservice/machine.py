"""The machine of a leading master service: every decision of it, and nothing else.

It lives as long as one leadership. All that it knows was read at or after the election, and its
successor reads anew, so nothing in here has to survive. The decisions are made by its parts
(`timestamps`, `ids`, `sequencers`, `ddls`, `names`); the machine itself holds requests back until a
mark has moved, and sets the alarm for the next moment at which something is due.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from headrace.masterservice import effects as fx
from headrace.masterservice import events as ev
from headrace.masterservice.allocation.ids import Ids
from headrace.masterservice.allocation.timestamps import Timestamps
from headrace.masterservice.collections.client_state import check_client_state
from headrace.masterservice.collections.ddl import Ddls, Standing
from headrace.masterservice.collections.names import Names
from headrace.masterservice.sequencers.assignment import SequencerAssignments, Stood
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import DdlRecord
from headrace.model.channel import PChannel
from headrace.model.errors import Invalid, Unavailable
from headrace.model.ids import CollectionId, Revision
from headrace.model.refusals import Refusal
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import AllocIdsResponse, AllocTimestampResponse, Done, GrantResponse
from headrace.runtime.driver import Machine

HELD_MOST = 10_000  # requests that wait for a mark; more are refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a new leader read before it acts, and when."""

    pchannels: tuple[PChannel, ...]
    timestamp_mark: Timestamp = 0
    id_mark: int = 0
    stood: Mapping[PChannel, Stood] = field(default_factory=dict)
    standing: Mapping[CollectionId, Standing] = field(default_factory=dict)
    undone: Mapping[CollectionId, DdlRecord] = field(default_factory=dict)  # recorded, not noted
    revision: Revision  # of the meta store
    wall_ms: int
    now: float  # monotonic seconds, at the same moment as `wall_ms`


class MasterMachine(Machine[ev.Event, fx.Effect]):
    """One leadership."""

    def __init__(self, loaded: Loaded, settings: MasterServiceSettings) -> None:
        self._settings = settings
        self._revision = loaded.revision
        self._timestamps = Timestamps(
            loaded.timestamp_mark,
            window_ms=settings.timestamp_window_ms,
            wall_ms=loaded.wall_ms,
            now=loaded.now,
        )
        self._ids = Ids(loaded.id_mark, window=settings.id_window)
        self.sequencers = SequencerAssignments(loaded.pchannels, loaded.stood, settings)
        self._names = Names()
        self._ddls = Ddls(loaded.pchannels, loaded.standing, loaded.undone, self._names)
        self._held: list[tuple[ev.Asked, int]] = []  # until a mark moves, with the ids needed
        self._alarms: dict[float, None] = {}  # the moments it will be woken at
        self._sweep_at: float | None = None  # None: a sweep is under way
        self._retry_marks_at: float | None = None  # after a failure
        self._lost = False

    def step(self, event: ev.Event, now: float) -> Sequence[fx.Effect]:
        if self._lost:
            return ()
        if isinstance(event, ev.TimePassed):
            now = max(now, event.when)  # an alarm may ring a rounding error early
        effects = self._handle(event, now)
        while (released := self._ddls.released()) is not None:
            effects += self._handle(released, now)
        if not self._lost:
            effects += self._marks(now)
            effects += self._rearm(now)
        return effects

    def _handle(self, event: ev.Event, now: float) -> list[fx.Effect]:
        match event:
            case ev.LeadershipBegan():
                return self._began(now)
            case ev.LeadershipLost():
                return self._leadership_lost(event)
            case ev.TimePassed():
                return self._time_passed(event, now)
            case ev.MarkMoved():
                return self._mark_moved(event, now)
            case ev.MarkFailed():
                return self._mark_failed(event, now)
            case ev.GrantAsked():
                return self._grant(event, now)
            case ev.TimestampAsked():
                return self._timestamp(event, now)
            case ev.IdsAsked():
                return self._lease_ids(event)
            case ev.SetClientStateAsked():
                return self._set_client_state(event)
            case ev.CreateAsked():
                needed = 1 + max(1, event.request.partitions)
                return self._ddl(event, needed, now, partial(self._ddls.create, event))
            case ev.DropAsked():
                return self._ddl(event, 0, now, partial(self._ddls.drop, event))
            case ev.RenameAsked():
                return self._ddl(event, 0, now, partial(self._ddls.rename, event))
            case ev.PartitionAsked():
                return self._ddl(event, 1, now, partial(self._ddls.partition, event))
            case ev.ProxiesListed():
                return self.sequencers.listed(event.proxies, now)
            case ev.ProxySuspected():
                return self.sequencers.suspected(event.server_id, event.address, now)
            case ev.ConnectionTried():
                return self.sequencers.tried(event.server_id, event.reached, now)
            case ev.SequencerStopped():
                return self.sequencers.stopped(event.pchannel, now)
            case ev.SequencerStood():
                return self.sequencers.stands(event.pchannel, event.record, event.revision, now)
            case ev.DdlRecorded():
                return self._ddls.recorded(event)
            case ev.DdlNotRecorded():
                return self._ddls.not_recorded(event)
            case ev.DdlAppended():
                return self._ddls.appended(event)
            case ev.DdlNoted():
                return self._ddls.noted(event)
            case ev.NamesStored():
                return self._names.stored(event.revision)
            case ev.ClientStateSet():
                return self._client_state_set(event)
            case ev.TombstonesSwept():
                return self._swept(event, now)
            case _:
                assert_never(event)

    # ---- the leadership ----------------------------------------------------------------------

    def _began(self, now: float) -> list[fx.Effect]:
        self._sweep_at = now + self._settings.tombstone_sweep_s
        return [*self._names.changed(self._revision), *self._ddls.begin()]

    def _leadership_lost(self, event: ev.LeadershipLost) -> list[fx.Effect]:
        self._lost = True
        return [fx.StandDown(event.reason)]

    # ---- timestamps and ids ------------------------------------------------------------------

    def _grant(self, asked: ev.GrantAsked, now: float) -> list[fx.Effect]:
        effects = self._jump(asked.wall_ms, now)
        if now >= asked.leads_until:
            return [*effects, _unsure(asked.call)]
        request = asked.request
        wanted = self.sequencers.granted(request.server_id, request.pchannels)
        count = max(1, min(request.count, self._settings.grant_max)) if wanted else 0
        first = self._timestamps.take(count, now)
        if first is None:
            return effects + self._hold(asked)
        response = GrantResponse(first=first, count=count, pchannels=wanted)
        return [*effects, fx.Answer(asked.call, response)]

    def _timestamp(self, asked: ev.TimestampAsked, now: float) -> list[fx.Effect]:
        effects = self._jump(asked.wall_ms, now)
        if now >= asked.leads_until:
            return [*effects, _unsure(asked.call)]
        first = self._timestamps.take(1, now)
        if first is None:
            return effects + self._hold(asked)
        return [*effects, fx.Answer(asked.call, AllocTimestampResponse(first))]

    def _jump(self, wall_ms: int, now: float) -> list[fx.Effect]:
        jump = self._timestamps.jump_ms(wall_ms, now)
        return [fx.TellClockJump(jump)] if jump else []

    def _lease_ids(self, asked: ev.IdsAsked) -> list[fx.Effect]:
        count, most = asked.request.count, self._settings.ids_max
        if not 1 <= count <= most:
            error = Invalid(f"count is {count}; 1 to {most} ids can be leased", field="count")
            return [fx.Refuse(asked.call, error)]
        first = self._ids.take(count)
        if first is None:
            return self._hold(asked, count)
        return [fx.Answer(asked.call, AllocIdsResponse(first, count))]

    def _hold(self, asked: ev.Asked, ids_needed: int = 0) -> list[fx.Effect]:
        if len(self._held) >= HELD_MOST:
            return [fx.Refuse(asked.call, Unavailable("too many requests wait for the meta store"))]
        self._held.append((asked, ids_needed))
        return []

    # ---- collections -------------------------------------------------------------------------

    def _ddl(
        self,
        asked: ev.DdlAsked,
        ids_needed: int,
        now: float,
        begin: Callable[[int, Timestamp], list[fx.Effect]],
    ) -> list[fx.Effect]:
        first_id = self._ids.take(ids_needed) if ids_needed else 0
        timestamp = self._timestamps.take(1, now)
        if first_id is None or timestamp is None:
            return self._hold(asked, ids_needed)
        try:
            return begin(first_id, timestamp)
        except Invalid as error:
            return [fx.Refuse(asked.call, error)]

    def _set_client_state(self, asked: ev.SetClientStateAsked) -> list[fx.Effect]:
        request = asked.request
        if self._ddls.find(request.collection_id) is None:
            error = Refusal.COLLECTION_ID_NOT_FOUND(at="collectionID", id=request.collection_id)
            return [fx.Refuse(asked.call, error)]
        try:
            check_client_state(request.topic, request.value)
        except Invalid as invalid:
            return [fx.Refuse(asked.call, invalid)]
        return [fx.SetClientState(asked.call, request)]

    def _client_state_set(self, event: ev.ClientStateSet) -> list[fx.Effect]:
        if event.error is not None:
            return [fx.Refuse(event.call, event.error)]
        return [fx.Answer(event.call, Done())]

    def _swept(self, event: ev.TombstonesSwept, now: float) -> list[fx.Effect]:
        self._ddls.removed(event.removed)
        self._sweep_at = now + self._settings.tombstone_sweep_s
        return []

    # ---- marks -------------------------------------------------------------------------------

    def _mark_moved(self, event: ev.MarkMoved, now: float) -> list[fx.Effect]:
        self._source(event.mark).mark_moved(event.value)
        held, self._held = self._held, []
        return [effect for asked, _ in held for effect in self._handle(asked, now)]

    def _mark_failed(self, event: ev.MarkFailed, now: float) -> list[fx.Effect]:
        self._source(event.mark).mark_failed()
        self._retry_marks_at = now + self._settings.retry_most_s
        held, self._held = self._held, []
        error = Unavailable(f"the meta store does not answer: {event.reason}")
        return [fx.Refuse(asked.call, error) for asked, _ in held]

    def _source(self, mark: ev.Mark) -> Ids | Timestamps:
        return self._ids if mark is ev.Mark.IDS else self._timestamps

    def _marks(self, now: float) -> list[fx.Effect]:
        if self._retry_marks_at is not None:
            if now < self._retry_marks_at:
                return []
            self._retry_marks_at = None
        timestamps = self._timestamps.move_mark(now)
        ids = self._ids.move_mark(max((needed for _, needed in self._held), default=0))
        marks = ((ev.Mark.TIMESTAMPS, timestamps), (ev.Mark.IDS, ids))
        return [fx.MoveMark(mark, value) for mark, value in marks if value is not None]

    # ---- time --------------------------------------------------------------------------------

    def _time_passed(self, event: ev.TimePassed, now: float) -> list[fx.Effect]:
        self._alarms.pop(event.when, None)
        effects = self.sequencers.time_passed(now)
        if self._sweep_at is not None and now >= self._sweep_at:
            tombstones = self._ddls.tombstones()
            self._sweep_at = None if tombstones else now + self._settings.tombstone_sweep_s
            if tombstones:
                effects.append(fx.SweepTombstones(tombstones))
        return effects

    def _rearm(self, now: float) -> list[fx.Effect]:
        """An alarm is set at or before the next moment at which something is due."""
        dues = [self._sweep_at, self._retry_marks_at, self.sequencers.due(now)]
        if self._retry_marks_at is None:
            dues.append(self._timestamps.due())
        due = min((at for at in dues if at is not None and at > now), default=None)
        if due is None or any(alarm <= due for alarm in self._alarms):
            return []
        self._alarms[due] = None
        return [fx.WakeAt(due)]

    def validate(self) -> None:
        self._timestamps.validate()
        self._ids.validate()
        self.sequencers.validate()
        self._ddls.validate()
        self._names.validate()
        assert len(self._held) <= HELD_MOST


def _unsure(call: int) -> fx.Effect:
    return fx.Refuse(call, Unavailable("the master service is not sure that it still leads"))
