"""The sequencer of one pchannel in one process: idle, taking over, open, draining, or corrupt.

IDLE -> TAKING_OVER -> OPEN -> DRAINING -> IDLE
          |    \\______/  |        replaced, handed over, asked to stop: IDLE again
          v              v
       CORRUPT        (replaced and still wanted: TAKING_OVER again)
"""

from enum import StrEnum
from typing import Any, assert_never

from headrace.model.channel import PChannel
from headrace.model.errors import Corrupt, Fenced, HeadraceError, Unavailable
from headrace.model.ids import Revision, ServerId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import Done
from headrace.runtime.driver import Machine
from headrace.sequencer import events as ev
from headrace.sequencer.append.grants import Grants
from headrace.sequencer.append.leases import Leases
from headrace.sequencer.effects import Answer, Effect, Refuse, SequencerNotice, Tell
from headrace.sequencer.failover.attempt import Attempt, HandedOver, LostEnd, Replaced
from headrace.sequencer.requests.admission import refused
from headrace.sequencer.settings import SequencerSettings
from headrace.sequencer.term import Opened, OpenTerm


class SequencerPhase(StrEnum):
    """Of the sequencer of one pchannel in one process."""

    IDLE = "idle"
    TAKING_OVER = "taking-over"
    OPEN = "open"
    DRAINING = "draining"
    CORRUPT = "corrupt"


class SequencerMachine(Machine[ev.Event, Effect]):
    """See the module. `server_id` is that of this process."""

    def __init__(
        self,
        pchannel: PChannel,
        server_id: ServerId,
        address: str,
        settings: SequencerSettings,
    ) -> None:
        self._pchannel = pchannel
        self._server_id = server_id
        self._address = address
        self._settings = settings
        self.phase = SequencerPhase.IDLE
        self._assigned: ServerId = 0
        self._assignment_revision: Revision = 0
        self._attempt = 0
        self._failover: Attempt | None = None
        self._term: OpenTerm | None = None
        self._grants = Grants(settings)
        self._leases = Leases(settings)
        self._stopped_until: float | None = None  # asked to stop: no new attempt before
        self._for_good = False
        self._stop_calls: list[ev.Call] = []
        self._corrupt = ""

    def step(self, event: ev.Event, now: float) -> list[Effect]:
        effects = self._handle(event, now)
        if self._failover is not None and self._failover.result is not None:
            effects += self._attempt_ended(self._failover, now)
        if self._term is not None:
            effects += self._term_goes_on(self._term, now)
        if self.phase is SequencerPhase.IDLE and self._may_start(now):
            effects += self._start(0.0)
        return effects

    def validate(self) -> None:
        assert (self._failover is not None) == (self.phase is SequencerPhase.TAKING_OVER), (
            self.phase
        )
        assert (self._term is not None) == (
            self.phase in (SequencerPhase.OPEN, SequencerPhase.DRAINING)
        )
        if self._term is not None:
            self._term.validate()

    @property
    def is_open(self) -> bool:
        return self.phase is SequencerPhase.OPEN

    @property
    def timestamp(self) -> Timestamp:
        """Of the last message that is known to stand; 0 unless open."""
        return self._term.timestamp if self._term else 0

    def status(self) -> dict[str, Any]:
        """For people: `headrace inspect`."""
        told: dict[str, Any] = {"pchannel": self._pchannel, "phase": self.phase.value}
        if self._failover is not None:
            told["step"] = self._failover.step.value
        if self._corrupt:
            told["reason"] = self._corrupt
        if self._term is not None:
            told |= {
                "term": self._term.term,
                "message_id": self._term.known,
                "timestamp": self._term.timestamp,
                "waiting": len(self._term.queue),
                "waiting_bytes": self._term.queue.size_bytes,
                "window_ids": len(self._term.window),
                "open_segments": len(self._term.segments),
                "master_away": self._grants.away,
            }
        return told

    def _handle(self, event: ev.Event, now: float) -> list[Effect]:
        match event:
            case ev.AssignmentRead():
                return self._assignment_read(event)
            case ev.StopAsked():
                return self._stop_asked(event, now)
            case ev.EndRead():
                present = self._present(event.attempt)
                return present.end_read(event, now) if present else []
            case ev.MetaRead():
                present = self._present(event.attempt)
                return present.meta_read(event.view) if present else []
            case ev.WindowRead():
                present = self._present(event.attempt)
                return present.window_read(event.past) if present else []
            case ev.ReadFailed():
                present = self._present(event.attempt)
                return present.read_failed() if present else []
            case ev.CorruptRead():
                present = self._present(event.attempt)
                return present.corrupt_read(event.reason) if present else []
            case ev.AppendAnswered():
                appender = self._appender(event.attempt)
                return appender.answered(event, now) if appender else []
            case ev.AppendUnanswered():
                appender = self._appender(event.attempt)
                return appender.unanswered(event) if appender else []
            case ev.Looked():
                appender = self._appender(event.attempt)
                return appender.looked(event, now) if appender else []
            case ev.DiskRead():
                return self._term.disk_read(event) if self._term else []
            case ev.Granted():
                return self._grants.granted(event)
            case ev.GrantWithheld():
                return self._grants.withheld(event)
            case ev.GrantUnanswered():
                return self._grants.unanswered(event)
            case ev.IdsLeased():
                return self._leases.leased(event)
            case ev.IdsUnanswered():
                return self._leases.unanswered()
            case ev.AppendArrived():
                return self._append_arrived(event, now)
            case ev.DdlArrived():
                return self._term.ddl(event) if self._term else [self._turn_away(event.call)]
            case ev.SealArrived():
                return self._term.seal(event) if self._term else [self._turn_away(event.call)]
            case ev.PositionAsked():
                return self._term.position(event) if self._term else [self._turn_away(event.call)]
            case ev.TimePassed():
                return self._term.time_passed(now) if self._term else []
            case _:
                assert_never(event)

    def _present(self, attempt: int) -> Attempt | None:
        """The attempt to take over with this number, if it is still under way."""
        return self._failover if attempt == self._attempt else None

    def _appender(self, attempt: int) -> Attempt | OpenTerm | None:
        """What has a message on its way under this attempt."""
        return (self._failover or self._term) if attempt == self._attempt else None

    # ---- requests ----------------------------------------------------------------------------

    def _append_arrived(self, event: ev.AppendArrived, now: float) -> list[Effect]:
        if self._term is not None:
            return self._term.append(event, now)
        if self.phase is SequencerPhase.TAKING_OVER:
            return [Answer(event.call, refused(self._busy()))]
        return [self._turn_away(event.call)]

    def _turn_away(self, call: ev.Call) -> Effect:
        if self.phase is SequencerPhase.CORRUPT:
            return Refuse(call, Corrupt(self._corrupt, channel=self._pchannel))
        if self.phase is SequencerPhase.IDLE:
            return Refuse(call, self._fenced())
        return Refuse(call, Unavailable(self._busy()))

    def _busy(self) -> str:
        return f"busy: the sequencer of {self._pchannel} is taking over"

    # ---- the assignment ----------------------------------------------------------------------

    def _assignment_read(self, event: ev.AssignmentRead) -> list[Effect]:
        if event.revision < self._assignment_revision:
            return []
        if event.revision > self._assignment_revision and not self._for_good:
            self._stopped_until = None
        self._assigned, self._assignment_revision = event.server_id, event.revision
        if self._assigned == self._server_id:
            return []
        return self._let_go()

    def _stop_asked(self, event: ev.StopAsked, now: float) -> list[Effect]:
        self._for_good = self._for_good or event.for_good
        self._stopped_until = now + self._settings.stop_forgotten_s
        effects = self._let_go()
        if self.phase is SequencerPhase.DRAINING:
            self._stop_calls.append(event.call)
            return effects
        return [*effects, Answer(event.call, Done())]

    def _let_go(self) -> list[Effect]:
        if self.phase is SequencerPhase.TAKING_OVER:
            self._failover, self.phase = None, SequencerPhase.IDLE
        elif self.phase is SequencerPhase.OPEN:
            assert self._term is not None
            self.phase = SequencerPhase.DRAINING
            return self._term.drain()
        return []

    def _may_start(self, now: float) -> bool:
        if self._for_good or self._assigned != self._server_id:
            return False
        return self._stopped_until is None or now >= self._stopped_until

    def _start(self, delay_s: float) -> list[Effect]:
        self._stopped_until = None
        self._attempt += 1
        self._failover = Attempt(
            self._pchannel, self._server_id, self._address, self._attempt, self._settings
        )
        self.phase = SequencerPhase.TAKING_OVER
        return [*self._failover.begin(delay_s), *self._leases.order()]

    # ---- ends --------------------------------------------------------------------------------

    def _attempt_ended(self, failover: Attempt, now: float) -> list[Effect]:
        result = failover.result
        self._failover = None
        match result:
            case Opened():
                self._grants.begin_term()
                self._term = OpenTerm(
                    self._pchannel, result, self._settings, self._grants, self._leases, now
                )
                self.phase = SequencerPhase.OPEN
                return [Tell(SequencerNotice.SEQUENCES, self._pchannel, term=result.term)]
            case Replaced():
                self.phase = SequencerPhase.IDLE
                return self._replaced(result.reason)
            case HandedOver():
                self.phase = SequencerPhase.IDLE
                if result.revision >= self._assignment_revision:
                    self._assigned, self._assignment_revision = result.wanted, result.revision
                return [Tell(SequencerNotice.HANDED_OVER, self._pchannel, wanted=result.wanted)]
            case LostEnd():
                return self._found_corrupt(result.reason)
            case None:
                raise AssertionError("the attempt has not ended")

    def _term_goes_on(self, term: OpenTerm, now: float) -> list[Effect]:
        if term.replaced:
            self._term, self.phase = None, SequencerPhase.IDLE
            effects = term.close(term.fenced())
            return effects + self._stop_answers() + self._replaced(term.replaced)
        effects = term.pump(now)
        if term.drained:
            self._term, self.phase = None, SequencerPhase.IDLE
            effects += term.close(term.fenced()) + self._stop_answers()
            effects.append(Tell(SequencerNotice.STOPPED, self._pchannel, term=term.term))
        return effects

    def _replaced(self, reason: str) -> list[Effect]:
        """The log has another appender: start again after a pause, if still wanted."""
        told = Tell(SequencerNotice.REPLACED, self._pchannel, reason=reason)
        blocked = self._for_good or self._stopped_until is not None
        if blocked or self._assigned != self._server_id:
            return [told]
        return [told, *self._start(self._settings.restart_s)]

    def _found_corrupt(self, reason: str) -> list[Effect]:
        self.phase, self._corrupt = SequencerPhase.CORRUPT, reason
        return [Tell(SequencerNotice.CORRUPT, self._pchannel, reason=reason)]

    def _stop_answers(self) -> list[Effect]:
        calls, self._stop_calls = self._stop_calls, []
        return [Answer(call, Done()) for call in calls]

    def _fenced(self) -> HeadraceError:
        return Fenced(f"this process does not sequence {self._pchannel}")
