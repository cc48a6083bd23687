"""The sequencer of one pchannel in one process: idle, taking over, open, draining, or corrupt.

**Owns** the phases and who is told that they ask the wrong process. **Does not own** the steps of a
failover (`failover`) or the life of an open term (`term`).

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
from headrace.sequencer.append.grants import Grants
from headrace.sequencer.append.leases import Leases
from headrace.sequencer.effects import Answer, Effect, Refuse, Tell
from headrace.sequencer.events import (
    AppendAnswered,
    AppendArrived,
    AppendUnanswered,
    AssignmentRead,
    Call,
    CorruptRead,
    DdlArrived,
    DiskRead,
    EndRead,
    Event,
    Granted,
    GrantUnanswered,
    GrantWithheld,
    IdsLeased,
    IdsUnanswered,
    Looked,
    MetaRead,
    PositionAsked,
    ReadFailed,
    SealArrived,
    StopAsked,
    TimePassed,
    WindowRead,
)
from headrace.sequencer.failover.attempt import (
    Attempt,
    AttemptEvent,
    HandedOver,
    LostEnd,
    Replaced,
    Step,
)
from headrace.sequencer.requests.admission import refused
from headrace.sequencer.settings import SequencerSettings
from headrace.sequencer.term import Opening, OpenTerm


class Phase(StrEnum):
    """Of the sequencer of one pchannel in one process."""

    IDLE = "idle"
    TAKING_OVER = "taking-over"
    OPEN = "open"
    DRAINING = "draining"
    CORRUPT = "corrupt"


class SequencerMachine:
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
        self.phase = Phase.IDLE
        self._assigned: ServerId = 0
        self._assignment_revision: Revision = 0
        self._attempt = 0
        self._failover: Attempt | None = None
        self._term: OpenTerm | None = None
        self._grants = Grants(settings)
        self._leases = Leases(settings)
        self._stopped_until: float | None = None  # asked to stop: no new attempt before
        self._for_good = False
        self._stop_calls: list[Call] = []
        self._corrupt = ""

    def step(self, event: Event, now: float) -> list[Effect]:
        """See `runtime.driver.Machine`."""
        effects = self._route(event, now)
        if self._failover is not None and self._failover.result is not None:
            effects += self._attempt_ended(self._failover, now)
        if self._term is not None:
            effects += self._term_goes_on(self._term, now)
        if self.phase is Phase.IDLE and self._may_start(now):
            effects += self._start(0.0)
        return effects

    def validate(self) -> None:
        """See `runtime.driver.Machine`."""
        assert (self._failover is not None) == (self.phase is Phase.TAKING_OVER), self.phase
        assert (self._term is not None) == (self.phase in (Phase.OPEN, Phase.DRAINING))
        if self._term is not None:
            self._term.validate()

    @property
    def is_open(self) -> bool:
        """Whether requests are taken."""
        return self.phase is Phase.OPEN

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

    # ---- what happened -----------------------------------------------------------------------

    def _route(self, event: Event, now: float) -> list[Effect]:
        match event:
            case AssignmentRead():
                return self._assignment_read(event)
            case StopAsked():
                return self._stop_asked(event, now)
            case EndRead() | MetaRead() | WindowRead() | ReadFailed() | CorruptRead():
                return self._of_attempt(event, now)
            case AppendAnswered() | AppendUnanswered() | Looked():
                return self._of_append(event, now)
            case Granted() | GrantWithheld() | GrantUnanswered():
                self._of_grant(event)
            case IdsLeased():
                self._leases.leased(event.first, event.count)
            case IdsUnanswered():
                self._leases.unanswered()
            case DiskRead():
                if self._term is not None:
                    self._term.disk(event.free_bytes)
            case AppendArrived() | DdlArrived() | SealArrived() | PositionAsked():
                return self._arrived(event, now)
            case TimePassed():
                return self._term.time_passed(now) if self._term is not None else []
            case _:
                assert_never(event)
        return []

    def _of_attempt(self, event: AttemptEvent, now: float) -> list[Effect]:
        if self._failover is None or event.attempt != self._attempt:
            return []
        return self._failover.handle(event, now)

    def _of_append(
        self, event: AppendAnswered | AppendUnanswered | Looked, now: float
    ) -> list[Effect]:
        if event.attempt != self._attempt:
            return []
        if self._failover is not None:
            return self._failover.handle(event, now)
        if self._term is None:
            return []
        match event:
            case AppendAnswered():
                return self._term.answered(event.expected_last, event.message_id, now)
            case AppendUnanswered():
                return self._term.unanswered(event.expected_last)
            case Looked():
                return self._term.looked(event.message_id, event.data, now)

    def _of_grant(self, event: Granted | GrantWithheld | GrantUnanswered) -> None:
        match event:
            case Granted():
                self._grants.granted(event.asked, event.first, event.count)
            case GrantWithheld():
                self._grants.withheld(event.asked)
            case GrantUnanswered():
                self._grants.unanswered(event.asked)

    def _arrived(
        self, event: AppendArrived | DdlArrived | SealArrived | PositionAsked, now: float
    ) -> list[Effect]:
        if self._term is None:
            return [self._turned_away(event)]
        match event:
            case AppendArrived():
                return self._term.append(event, now)
            case DdlArrived():
                return self._term.ddl(event.call, event.record, event.ddl)
            case SealArrived():
                return self._term.seal(event.call, event.request)
            case PositionAsked():
                return self._term.position(event.call)

    def _turned_away(
        self, event: AppendArrived | DdlArrived | SealArrived | PositionAsked
    ) -> Effect:
        if self.phase is Phase.CORRUPT:
            return Refuse(event.call, Corrupt(self._corrupt, channel=self._pchannel))
        if self.phase is Phase.IDLE:
            return Refuse(event.call, self._fenced())
        busy = f"busy: the sequencer of {self._pchannel} is taking over"
        if isinstance(event, AppendArrived):
            return Answer(event.call, refused(busy))
        return Refuse(event.call, Unavailable(busy))

    # ---- the assignment
    # ----------------------------------------------------------------------------

    def _assignment_read(self, event: AssignmentRead) -> list[Effect]:
        if event.revision < self._assignment_revision:
            return []
        if event.revision > self._assignment_revision and not self._for_good:
            self._stopped_until = None
        self._assigned, self._assignment_revision = event.server_id, event.revision
        if self._assigned == self._server_id:
            return []
        return self._let_go()

    def _stop_asked(self, event: StopAsked, now: float) -> list[Effect]:
        self._for_good = self._for_good or event.for_good
        self._stopped_until = now + self._settings.stop_patience_s
        effects = self._let_go()
        if self.phase is Phase.DRAINING:
            self._stop_calls.append(event.call)
            return effects
        return [*effects, Answer(event.call, Done())]

    def _let_go(self) -> list[Effect]:
        if self.phase is Phase.TAKING_OVER:
            self._failover, self.phase = None, Phase.IDLE
        elif self.phase is Phase.OPEN:
            assert self._term is not None
            self.phase = Phase.DRAINING
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
        self.phase = Phase.TAKING_OVER
        return [*self._failover.begin(delay_s), *self._leases.order()]

    # ---- ends --------------------------------------------------------------------------------

    def _attempt_ended(self, failover: Attempt, now: float) -> list[Effect]:
        result = failover.result
        self._failover = None
        match result:
            case Opening():
                self._grants.begin_term()
                self._term = OpenTerm(
                    self._pchannel, result, self._settings, self._grants, self._leases, now
                )
                self.phase = Phase.OPEN
                return [self._tell("sequencing", term=result.term)]
            case Replaced():
                self.phase = Phase.IDLE
                return self._replaced(result.reason)
            case HandedOver():
                self.phase = Phase.IDLE
                if result.revision >= self._assignment_revision:
                    self._assigned, self._assignment_revision = result.wanted, result.revision
                return [self._tell("handed over", wanted=result.wanted)]
            case LostEnd():
                return self._found_corrupt(result.reason)
            case None:
                raise AssertionError("the attempt has not ended")

    def _term_goes_on(self, term: OpenTerm, now: float) -> list[Effect]:
        if term.replaced:
            self._term, self.phase = None, Phase.IDLE
            effects = term.close(term.fenced())
            return effects + self._stop_answers() + self._replaced(term.replaced)
        effects = term.pump(now)
        if term.drained:
            self._term, self.phase = None, Phase.IDLE
            effects += term.close(term.fenced()) + self._stop_answers()
            effects.append(self._tell("stopped sequencing", term=term.term))
        return effects

    def _replaced(self, reason: str) -> list[Effect]:
        """The log has another appender. Whoever is still wanted starts again, after a pause."""
        told = self._tell("was replaced", reason=reason)
        blocked = self._for_good or self._stopped_until is not None
        if blocked or self._assigned != self._server_id:
            return [told]
        return [told, *self._start(self._settings.restart_s)]

    def _found_corrupt(self, reason: str) -> list[Effect]:
        self.phase, self._corrupt = Phase.CORRUPT, reason
        return [Tell("pchannel is corrupt", {"pchannel": self._pchannel, "reason": reason}, True)]

    def _stop_answers(self) -> list[Effect]:
        calls, self._stop_calls = self._stop_calls, []
        return [Answer(call, Done()) for call in calls]

    def _fenced(self) -> HeadraceError:
        return Fenced(f"this process does not sequence {self._pchannel}")

    def _tell(self, sentence: str, **values: Any) -> Tell:
        return Tell(sentence, {"pchannel": self._pchannel, **values})


__all__ = ["Phase", "SequencerMachine", "Step"]
