"""From the assignment to the open term: the candidate's TermStart, and what it reads once that
stands.

    CANDIDATE  reads the checkpoints of the pchannel's list, then the end of the log
    STARTING   its TermStart is on its way, naming the last message
    STANDING   it stands: its message id is the term; the meta store is read, linearizably
    READING    the window is read from digests and the tail
    (open)     `result` is an `Opened`

The log decides, not the assignment: the process whose TermStart stands is the sequencer, and it
read everything that it knows after that. A checkpoint read *before* TermStart was sent names a
message that stood then; so a TermStart that does not stand above it proves that the log has lost
its end. One read *after* it may be a successor's: then this attempt was replaced.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from headrace.model.channel import PChannel
from headrace.model.entry import TermStart
from headrace.model.group import Group, encode
from headrace.model.ids import MessageId, Revision, ServerId
from headrace.model.timestamp import Timestamp
from headrace.sequencer import events as ev
from headrace.sequencer.append.flight import Flight
from headrace.sequencer.effects import Effect, ReadEnd, ReadMeta, ReadWindow
from headrace.sequencer.requests.window import floor_of, span
from headrace.sequencer.settings import SequencerSettings
from headrace.sequencer.term import Opened

TERM_START = "term-start"


class AttemptStep(StrEnum):
    """Of an attempt."""

    CANDIDATE = "candidate"
    STARTING = "starting"
    STANDING = "standing"
    READING = "reading"


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another appended behind, or instead of, our TermStart."""

    reason: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The meta store says that another is wanted."""

    wanted: ServerId
    revision: Revision


@dataclass(frozen=True, slots=True)
class LostEnd:
    """What stands is not what should: `Corrupt`."""

    reason: str


Result: TypeAlias = Opened | Replaced | HandedOver | LostEnd


class Attempt:
    """One attempt. Each method returns what is to be done; then see `result`."""

    def __init__(
        self,
        pchannel: PChannel,
        server_id: ServerId,
        address: str,
        attempt: int,
        settings: SequencerSettings,
    ) -> None:
        self._pchannel = pchannel
        self._server_id = server_id
        self._address = address
        self._settings = settings
        self.attempt = attempt
        self.step = AttemptStep.CANDIDATE
        self.result: Result | None = None
        self._mark: MessageId = 0
        self._timestamp: Timestamp = 0
        self._flight: Flight | None = None
        self._view: ev.MetaView | None = None
        self._failures = 0

    @property
    def term_start(self) -> MessageId:
        """Message id of the TermStart, once it was sent; else 0."""
        return self._flight.message_id if self._flight else 0

    def begin(self, delay_s: float) -> list[Effect]:
        """Become a candidate, after a pause."""
        return [ReadEnd(self.attempt, delay_s)]

    def corrupt_read(self, reason: str) -> list[Effect]:
        """What stands in the log or the meta store is not what we wrote."""
        self.result = LostEnd(reason)
        return []

    # ---- the TermStart ---------------------------------------------------------------------------

    def end_read(self, event: ev.EndRead, now: float) -> list[Effect]:
        """The end of the log is known: append behind it."""
        assert self.step is AttemptStep.CANDIDATE, self.step
        self.step = AttemptStep.STARTING
        self._mark = event.mark
        self._timestamp = event.timestamp + 1
        start = TermStart(self._timestamp, self._server_id, self._address)
        self._flight = Flight(
            attempt=self.attempt,
            expected_last=event.message_id,  # TT-1: TermStart names the last id
            parts=tuple(encode(Group(0, 0, (start,)))),
            what=TERM_START,
            sent_at=now,
        )
        return [self._flight.send()]

    def answered(self, event: ev.AppendAnswered, _: float) -> list[Effect]:
        """The log says that TermStart was taken."""
        if event.message_id != self._sent().message_id:
            return [self._sent().look()]
        return self._stands()

    def unanswered(self, _: ev.AppendUnanswered) -> list[Effect]:
        """The append of TermStart ended without an outcome."""
        return [self._sent().look()]

    def looked(self, event: ev.Looked, _: float) -> list[Effect]:
        """What stands at the id that TermStart should get."""
        match event.found:
            case ev.Found.OURS:
                return self._stands()
            case ev.Found.ANOTHER:
                self.result = Replaced(f"another message stands at {self._sent().message_id}")
                return []
            case ev.Found.NOTHING:
                return [self._sent().again(self._settings)]

    def _stands(self) -> list[Effect]:
        assert self.step is AttemptStep.STARTING, self.step
        if self._mark >= self.term_start:
            self.result = LostEnd(
                f"the log of {self._pchannel} has lost its end: TermStart stands as "
                f"{self.term_start}, but {self._mark} was stored before it"
            )
            return []
        self.step, self._failures = AttemptStep.STANDING, 0
        return [ReadMeta(self.attempt, 0.0)]  # RQ-1: etcd is read after TermStart

    # ---- what it reads ---------------------------------------------------------------------------

    def meta_read(self, view: ev.MetaView) -> list[Effect]:
        """Whether it is still wanted, and what the pchannel carries."""
        assert self.step is AttemptStep.STANDING, self.step
        if view.wanted != self._server_id:
            self.result = HandedOver(view.wanted, view.assignment_revision)
            return []
        noted = [v.noted.positions.get(v.vchannel) for v in view.vchannels if v.noted]
        # RQ-1: who reads of a DDL noted above its own TermStart was replaced
        if any(p is not None and p.message_id > self.term_start for p in noted):
            self.result = Replaced("a DDL is noted above its TermStart")
            return []
        if view.mark > self.term_start:
            self.result = Replaced("a checkpoint stands above its TermStart")
            return []
        self._view, self.step, self._failures = view, AttemptStep.READING, 0
        return [self._read_window(0.0)]  # RQ-1: a new sequencer reads the window

    def window_read(self, past: ev.Past) -> list[Effect]:
        """All is read: the term is open."""
        assert self.step is AttemptStep.READING and self._view is not None, self.step
        self.result = Opened(
            attempt=self.attempt,
            term=self.term_start,  # SQ-1: a term is the id of its TermStart
            message_id=self.term_start,
            timestamp=self._timestamp,
            size_bytes=self._sent().size_bytes,
            view=self._view,
            past=past,
        )
        return []

    def read_failed(self) -> list[Effect]:
        """Read the same again, after a pause."""
        self._failures += 1
        delay_s = self._settings.pauses.after(self._failures)
        match self.step:
            case AttemptStep.CANDIDATE:
                return [ReadEnd(self.attempt, delay_s)]
            case AttemptStep.STANDING:
                return [ReadMeta(self.attempt, delay_s)]
            case AttemptStep.READING:
                return [self._read_window(delay_s)]
            case AttemptStep.STARTING:
                raise AssertionError("nothing is read while TermStart is on its way")

    def _read_window(self, delay_s: float) -> ReadWindow:
        floor = floor_of(self._timestamp, self._settings.window_keyed_s)
        until = max(0, floor - span(self._settings.first_sent_lead_s))
        return ReadWindow(self.attempt, self.term_start, until, delay_s)

    def _sent(self) -> Flight:
        assert self._flight is not None, "TermStart was sent"
        return self._flight
