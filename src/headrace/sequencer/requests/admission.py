"""Parts of requests at the door: answered at once, refused, made to wait, or let into the queue.

The questions are asked in this order: is its id known, is it below the window's floor, is its
version the present one, is there trouble? Ids are looked up before versions: a repeat gets its
first result, whatever has become of its collection since.

Nothing is sent here: the machine calls `OpenTerm.pump` at the end of each step, which takes from
the queue what can go.
"""

from headrace.model.channel import PChannel, pchannel_of
from headrace.model.entry import DigestItem
from headrace.model.errors import HeadraceError, Invalid
from headrace.model.refusals import Refusal
from headrace.rpc.messages import AppendOutcome, AppendRequest, AppendResponse
from headrace.sequencer.append.grants import Grants
from headrace.sequencer.effects import Answer, AnswerStored, Effect, Refuse
from headrace.sequencer.events import Call
from headrace.sequencer.requests.queue import Part, PartQueue, size_of
from headrace.sequencer.requests.versions import CollectionVersions, VersionVerdict
from headrace.sequencer.requests.window import Window
from headrace.sequencer.settings import SequencerSettings

WINDOW = "window"  # what keyed parts are parked for when a million ids are kept


def refused(reason: str) -> AppendResponse:
    """Nothing stands or will come to stand by this call."""
    return AppendResponse(outcome=AppendOutcome.REFUSED, reason=reason)


class Admission:
    """The door of one open term. Trouble is told to it as words, "" = none."""

    def __init__(
        self,
        pchannel: PChannel,
        settings: SequencerSettings,
        queue: PartQueue,
        window: Window,
        versions: CollectionVersions,
        grants: Grants,
    ) -> None:
        self._pchannel = pchannel
        self._settings = settings
        self._queue = queue
        self._window = window
        self._versions = versions
        self._grants = grants
        self.disk_trouble = ""
        self.log_trouble = ""

    def arrived(self, call: Call, request: AppendRequest, now: float) -> list[Effect]:
        """A part arrived, or arrived again."""
        wrong = self._wrong(request)
        if wrong is not None:
            return [Refuse(call, wrong)]
        deadline = now + request.deadline_ms / 1000
        known = self._known(call, request, deadline, now)
        if known is not None:
            return known  # RQ-1: ids are looked up before versions
        verdict = self._versions.judge(request)
        if verdict is VersionVerdict.STALE:
            return [Answer(call, self._stale(request))]
        if self.disk_trouble:
            return [
                Answer(call, AppendResponse(outcome=AppendOutcome.FULL, reason=self.disk_trouble))
            ]
        trouble = self._trouble(request)
        if trouble:
            return [Answer(call, refused(trouble))]
        part = self._queue.add(call, request, self._grants.need(), deadline)
        self._hold(part, verdict)
        return []

    def judge_again(self, part: Part) -> list[Effect]:
        """A ready part may have become stale, or have to wait."""
        verdict = self._versions.judge(part.request)
        if verdict is VersionVerdict.STALE:
            return self.end(part, self._stale(part.request))
        self._hold(part, verdict)
        return []

    def release(self, reason: str) -> list[Effect]:
        """What parts were parked for has come."""
        released = self._queue.release(reason)
        return [effect for part in released for effect in self.judge_again(part)]

    def room(self) -> list[Effect]:
        """The window may have room again."""
        return [] if self._window.full else self.release(WINDOW)

    def expire(self, now: float) -> list[Effect]:
        """Deadlines of parts that were not sent have passed."""
        return [
            Answer(call, refused(f"its deadline passed while it {self._waits_for(part)}"))
            for call, part in self._queue.expire(now)
        ]

    def refuse_unsent(self, reason: str) -> list[Effect]:
        """Every part of which nothing was sent."""
        return [e for part in self._queue.unsent() for e in self.end(part, refused(reason))]

    def end(self, part: Part, end: AppendResponse | HeadraceError) -> list[Effect]:
        """All calls that wait for the part are answered, and it is here no more."""
        self._queue.drop(part)
        if isinstance(end, HeadraceError):
            return [Refuse(call, end) for call in part.calls]
        return [Answer(call, end) for call in part.calls]

    def stored(self, call: Call, request: AppendRequest, item: DigestItem, left_s: float) -> Effect:
        """The answer of a repeat: the first result, read from where it stands."""
        present = self._versions.get(request.vchannel)
        return AnswerStored(
            call=call,
            message_id=item.message_id,
            index=item.index,
            part_id=item.part_id,
            key=present.key if present else "",
            timeout_s=left_s,
        )

    # ---- questions ---------------------------------------------------------------------------

    def _wrong(self, request: AppendRequest) -> Invalid | None:
        try:
            pchannel = pchannel_of(request.vchannel)
        except Invalid as error:
            return error
        if pchannel != self._pchannel:
            return Invalid(f"{request.vchannel} is not of {self._pchannel}", field="vchannel")
        if not request.part_id or request.rows < 0 or request.deletes < 0:
            return Invalid("a part has an id and counts that are not negative", field="part_id")
        if request.rows + request.deletes == 0:
            return Invalid("a part without rows and deletes", field="rows")
        size = len(request.body) + len(request.delete_body)
        if size > self._settings.entry_bytes_max:
            most = self._settings.entry_bytes_max
            return Invalid(f"a part of {size} bytes, the most is {most}", field="body")
        return None

    def _known(
        self, call: Call, request: AppendRequest, deadline: float, now: float
    ) -> list[Effect] | None:
        """The answer by its id alone; None: it was never seen and may be appended."""
        other = Refusal.KEY_REUSED(at="idempotency-key")
        part = self._queue.find(request.part_id)
        if part is not None:
            if part.request.fingerprint != request.fingerprint:
                return [Refuse(call, other)]
            self._queue.join(part, call, deadline)  # DL-1: a repeat waits for the first
            return []
        item = self._window.find(request.part_id)
        if item is not None:
            if item.fingerprint != request.fingerprint:
                return [Refuse(call, other)]
            return [self.stored(call, request, item, deadline - now)]
        if request.first_sent <= self._window.floor(request.keyed):
            # RQ-1: below the window's floor it is not known, and nothing is appended
            return [Answer(call, AppendResponse(outcome=AppendOutcome.UNKNOWN))]
        return None

    def _stale(self, request: AppendRequest) -> AppendResponse:
        present = self._versions.get(request.vchannel)
        return AppendResponse(
            outcome=AppendOutcome.STALE, version=present.version if present else 0
        )

    def _trouble(self, request: AppendRequest) -> str:
        if self.log_trouble:
            return self.log_trouble
        if self._queue.size_bytes + size_of(request) > self._settings.queue_bytes_max:
            return f"{self._queue.size_bytes} bytes wait for {self._pchannel} already"
        return ""

    def _hold(self, part: Part, verdict: VersionVerdict) -> None:
        if verdict is not VersionVerdict.READY:
            self._queue.park(part, part.request.vchannel)
        elif part.request.keyed and self._window.full:
            self._queue.park(part, WINDOW)

    def _waits_for(self, part: Part) -> str:
        request = part.request
        if part.parked_for == WINDOW:
            return "waited for room in the window of request ids"
        if part.parked_for:
            return f"waited for version {request.version} of collection {request.collection_id}"
        if self._grants.away:
            return "waited for timestamps: the master service does not answer"
        return "waited for its turn"
