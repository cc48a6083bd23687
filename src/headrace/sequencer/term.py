"""The open term: requests become groups, one in flight, and are answered when they stand.

`admission` lets requests in, `control_entries` has what the services want appended, `grouping` puts
a group together; here is when it is sent, and what follows when it stands or is known never to.
"""

from dataclasses import dataclass

from headrace.model.channel import PChannel, Position
from headrace.model.entry import Rows
from headrace.model.errors import Fenced, HeadraceError, Invalid
from headrace.model.group import Group, encode
from headrace.model.ids import MessageId, Term
from headrace.model.invariants import violated
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import AppendOutcome, AppendResponse, PositionResponse
from headrace.sequencer import events as ev
from headrace.sequencer.append.flight import Flight
from headrace.sequencer.append.grants import Grants, GroupTimestamps
from headrace.sequencer.append.grouping import Built, Grouping, Turned
from headrace.sequencer.append.leases import Leases
from headrace.sequencer.append.segments import OpenSegment, Segments
from headrace.sequencer.effects import Answer, Effect, Refuse
from headrace.sequencer.requests.admission import Admission
from headrace.sequencer.requests.control_entries import ControlEntries
from headrace.sequencer.requests.digests import Digests
from headrace.sequencer.requests.queue import PartQueue, PartState
from headrace.sequencer.requests.versions import CollectionVersions
from headrace.sequencer.requests.window import Window, items_of
from headrace.sequencer.settings import SequencerSettings

GROUP = "group"
DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Opened:
    """All that an open term begins with: its TermStart stands."""

    attempt: int
    term: Term
    message_id: MessageId  # of the TermStart
    timestamp: Timestamp  # of the TermStart
    size_bytes: int
    view: ev.MetaView
    past: ev.Past


class OpenTerm:
    """One term of one pchannel, from open on. Methods only note what has arrived and return
    answers; sending is left to `pump`, which the machine calls at the end of each of its steps."""

    def __init__(
        self,
        pchannel: PChannel,
        opened: Opened,
        settings: SequencerSettings,
        grants: Grants,
        leases: Leases,
        now: float,
    ) -> None:
        self._pchannel = pchannel
        self._settings = settings
        self._grants = grants
        self._leases = leases
        self._attempt = opened.attempt
        self.term = opened.term
        self.known = opened.message_id
        self.timestamp = opened.timestamp
        self._number = 0
        self._stood_at = now
        self._sent: Flight | None = None  # SQ-1: one append in flight
        self._seals_need: int | None = None  # number of the `AskGrant` that due Seals need
        self._tick: int | None = None  # number of the `AskGrant` that a due tick needs
        self._draining = False
        self.replaced = ""  # why this term has ended, "" = it has not

        self.queue = PartQueue()
        self.window = Window(settings, opened.past.floor)
        self.segments = Segments(settings)
        self._versions = CollectionVersions(opened.view.vchannels)
        self._control = ControlEntries(pchannel, self._versions, grants)
        self._digests = Digests(settings, opened.past)
        self._admission = Admission(
            pchannel, settings, self.queue, self.window, self._versions, grants
        )
        self._grouping = Grouping(
            settings, self.queue, self._versions, self.segments, grants, leases
        )
        self.window.advance(opened.timestamp)
        for item in opened.past.items:
            self.window.add(item)
        self._digests.stands(opened.size_bytes, ())
        self._control.recorded(opened.view)

    # ---- what arrives ------------------------------------------------------------------------

    def append(self, event: ev.AppendArrived, now: float) -> list[Effect]:
        """A part of a request."""
        if self._draining:
            return [Refuse(event.call, self.fenced())]
        return self._admission.arrived(event.call, event.request, now)

    def ddl(self, event: ev.DdlArrived) -> list[Effect]:
        """A recorded DDL."""
        if self._draining:
            return [Refuse(event.call, self.fenced())]
        return self._control.ddl(event.call, event.record, event.ddl)

    def seal(self, event: ev.SealArrived) -> list[Effect]:
        """Seals or a tick above a timestamp."""
        if self._draining:
            return [Refuse(event.call, self.fenced())]
        return self._control.seal(event.call, event.request)

    def position(self, event: ev.PositionAsked) -> list[Effect]:
        return [Answer(event.call, PositionResponse(self._here()))]

    def disk_read(self, event: ev.DiskRead) -> list[Effect]:
        """How much the log's disk still takes."""
        free_bytes, least = event.free_bytes, self._settings.log_free_bytes_min
        low = free_bytes is not None and free_bytes < least
        self._admission.disk_trouble = (
            f"log disk almost full: {free_bytes} bytes are free, {least} are kept" if low else ""
        )
        return []

    def time_passed(self, now: float) -> list[Effect]:
        """Deadlines, ages, idleness."""
        effects = self._admission.expire(now)
        flight = self._sent
        silent_s = self._settings.log_silent_s
        silent = flight is not None and flight.tries > 0 and now - flight.sent_at >= silent_s
        self._admission.log_trouble = "the log does not answer" if silent else ""
        if silent:
            effects += self._admission.refuse_unsent(self._admission.log_trouble)
        if self._seals_need is None and self.segments.due(now):
            self._seals_need = self._grants.need()
        idle = now - self._stood_at >= self._settings.tick_idle_s and self._sent is None
        if idle and self._tick is None and self._versions.any_alive and not self._grants.away:
            self._tick = self._grants.need()
        return effects

    # ---- the end of a term -------------------------------------------------------------------

    def drain(self) -> list[Effect]:
        """Take nothing more; what was sent gets its outcome."""
        self._draining = True
        unsent = self.queue.unsent()
        effects = [e for part in unsent for e in self._admission.end(part, self.fenced())]
        return effects + self._control.refuse(self.fenced(), sent_too=False)

    @property
    def drained(self) -> bool:
        """Whether nothing is on its way any more."""
        return self._draining and self._sent is None

    def close(self, error: HeadraceError) -> list[Effect]:
        """The term is over: all calls that still wait are refused."""
        effects = [e for part in self.queue.all() for e in self._admission.end(part, error)]
        return effects + self._control.refuse(error, sent_too=True)

    def fenced(self) -> Fenced:
        """The refusal of a call that came too late for this term: nothing stands by it."""
        return Fenced(f"term {self.term} of {self._pchannel} has ended: ask its successor")

    # ---- outcomes of appends -------------------------------------------------------------------

    def answered(self, event: ev.AppendAnswered, now: float) -> list[Effect]:
        """The log says that a message was taken."""
        sent = self._find(event.expected_last)
        if sent is None:
            return []
        if event.message_id != sent.message_id:
            return [sent.look()]
        return self._stands(sent, now)

    def unanswered(self, event: ev.AppendUnanswered) -> list[Effect]:
        """An append ended without an outcome."""
        sent = self._find(event.expected_last)
        return [sent.look()] if sent is not None else []

    def looked(self, event: ev.Looked, now: float) -> list[Effect]:
        """What stands at the id that a message should get."""
        sent = self._find(event.message_id - 1)
        if sent is None:
            return []
        if event.found is ev.Found.OURS:
            return self._stands(sent, now)
        if event.found is ev.Found.ANOTHER:
            self.replaced = f"another message stands at {event.message_id}"
            return []
        return [sent.again(self._settings)]  # RQ-1: absence is no outcome

    def _stands(self, sent: Flight, now: float) -> list[Effect]:
        built = sent.built
        self._sent = None
        if built.entries[0].timestamp <= self.timestamp:
            violated("TT-1", f"{self._pchannel} {sent.message_id}")
        self.known = max(self.known, sent.message_id)
        self.timestamp = built.entries[-1].timestamp
        self._stood_at = now
        self._tick = None
        if sent.what == DIGEST:
            self._digests.written(sent.message_id)
        effects = self._parts_stand(sent, now)
        for order, entries in built.ddls:
            effects += self._control.ddl_stands(order, entries, sent.message_id)
            for vchannel in order.vchannels:
                effects += self._admission.release(vchannel)
        effects += self._control.seals_stand(built.seals, self._here())
        return effects + self._admission.room()

    def _parts_stand(self, flight: Flight, now: float) -> list[Effect]:
        items = items_of(flight.message_id, flight.built.entries)
        if flight.what != DIGEST:
            self._digests.stands(flight.size_bytes, items)
        effects: list[Effect] = []
        for (part, entry), item in zip(flight.built.parts, items, strict=True):
            if self.window.find(item.part_id) is not None:
                violated("RQ-1", f"{item.part_id.hex()} stands twice in {self._pchannel}")
            self.queue.drop(part)
            self.window.add(item)
            for call, deadline in part.calls.items():
                if call != part.first_call:
                    left_s = max(1.0, deadline - now)
                    effects.append(self._admission.stored(call, part.request, item, left_s))
                else:  # DL-1: acknowledged when it stands
                    effects.append(Answer(call, _done(entry, flight.message_id)))
        self.window.advance(self.timestamp)
        return effects

    # ---- the next group ------------------------------------------------------------------------

    def pump(self, now: float) -> list[Effect]:
        """Send what can be sent, ask for what is missing."""
        effects: list[Effect] = []
        if self._sent is None:
            effects += self._control.answer_done(self.segments, self._here())
            if not self._draining:
                effects += self._send_digest(now) if self._digests.due else self._send_group(now)
        if self._draining:
            return effects
        return [*effects, *self._grants.order(), *self._leases.order()]

    def _send_group(self, now: float) -> list[Effect]:
        wanted = self._wanted(now)
        timestamps = self._grants.timestamps(self.timestamp) if wanted else None
        if not wanted or timestamps is None:
            return []
        due, tick = wanted
        built, turned = self._grouping.build(
            timestamps, self._control.ddls(), self._control.seals(), due, tick, now
        )
        effects = self._turn(turned)
        if not built.entries:
            if not self._leases.short and self._wanted(now):
                self._grants.useless()
            return effects
        if self._seals_need is not None and not self.segments.due(now):
            self._seals_need = None
        return [*effects, self._send(GROUP, built, timestamps, now)]

    def _send_digest(self, now: float) -> list[Effect]:
        timestamps = self._grants.timestamps(self.timestamp)
        if timestamps is None:
            self._grants.need()
            return []
        built = Built(entries=[self._digests.entry(timestamps.take(), self.window)])
        return [self._send(DIGEST, built, timestamps, now)]

    def _send(self, what: str, built: Built, timestamps: GroupTimestamps, now: float) -> Effect:
        timestamps.commit()
        self._number += 1
        group = Group(self.term, self._number, tuple(built.entries))
        flight = Flight(
            attempt=self._attempt,
            expected_last=self.known,  # SQ-1: an append names the last id
            parts=tuple(encode(group)),
            what=what,
            sent_at=now,
            built=built,
        )
        self._sent = flight
        self.queue.fly(part for part, _ in built.parts)
        for order, _ in built.ddls:
            order.sent = True
        for seals in built.seals:
            seals.sent = True
        return flight.send()

    def _wanted(self, now: float) -> tuple[list[OpenSegment], bool] | None:
        """The due Seals and whether a tick is due, if anything at all has timestamps now."""
        first = next(self.queue.ready(), None)
        rows = first is not None and self._grants.covers(first.need)
        seals = self._seals_need is not None and self._grants.covers(self._seals_need)
        tick = self._tick is not None and self._grants.covers(self._tick)
        due = self.segments.due(now) if seals else []
        if not (rows or tick or due or self._control.ddls() or self._control.seals()):
            return None
        return due, tick

    def _turn(self, turned: Turned) -> list[Effect]:
        effects: list[Effect] = []
        for part in turned.to_park:
            effects += self._admission.judge_again(part)
        if not self._grants.away:
            error = Invalid("it was first sent in the future", field="headrace-first-sent")
            for part in turned.ahead:
                effects += self._admission.end(part, error)
        return effects

    # ---- questions -----------------------------------------------------------------------------

    def validate(self) -> None:
        """What holds after every step."""
        self.queue.validate()
        sent = self._sent
        flying = {part.request.part_id for part, _ in sent.built.parts} if sent else set()
        for part in self.queue.all():
            assert (part.request.part_id in flying) == (part.state is PartState.FLYING)
            if self.window.find(part.request.part_id) is not None:
                violated("RQ-1", "a part waits that stands already")
        if sent is not None and sent.expected_last != self.known:
            violated("SQ-1", f"{self._pchannel}: an append behind {sent.expected_last}")

    def _find(self, expected_last: MessageId) -> Flight | None:
        found = self._sent
        return found if found and found.expected_last == expected_last else None

    def _here(self) -> Position:
        return Position(self._pchannel, self.known, self.timestamp)


def _done(entry: Rows, message_id: MessageId) -> AppendResponse:
    return AppendResponse(
        outcome=AppendOutcome.DONE,
        timestamp=entry.timestamp,
        message_id=message_id,
        rows=entry.rows,
        deletes=entry.deletes,
        version=entry.version,
    )
