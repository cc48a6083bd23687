"""Carries out what the machine of one pchannel orders: one coroutine an effect, one event back.

Errors of the outside world become events here; nothing else is caught.

Crash points: `sequencer.WHAT.sending` before an append, `sequencer.WHAT.stands` after the log's
answer and before ours (WHAT is term-start, group or digest), `sequencer.part.answered` when a
caller has been told that a part stands.
"""

from collections.abc import Awaitable, Callable
from typing import Any, assert_never

from headrace.binlog.body import decode_rows, encode_keys
from headrace.frame.surroundings import Surroundings
from headrace.model.channel import PChannel
from headrace.model.entry import Body, Rows, same_bytes
from headrace.model.errors import (
    Conflict,
    Corrupt,
    HeadraceError,
    Invalid,
    Unavailable,
)
from headrace.rpc.messages import AllocIdsRequest, AllocIdsResponse, AppendOutcome, AppendResponse
from headrace.runtime.callers import Callers
from headrace.runtime.retry import jittered
from headrace.sequencer import effects as fx
from headrace.sequencer import events as ev
from headrace.sequencer.append.grant_client import GrantClient
from headrace.sequencer.failover.reading import FailoverReading
from headrace.sequencer.settings import SequencerSettings


class Shell:
    """Of one pchannel."""

    def __init__(
        self,
        pchannel: PChannel,
        around: Surroundings[SequencerSettings],
        *,
        grant_client: GrantClient,
        callers: Callers,
        master_address: Callable[[], str | None],
    ) -> None:
        settings, host, telemetry = around.settings, around.host, around.telemetry
        self._pchannel = pchannel
        self._settings = settings
        self._clock = host.clock
        self._host = host
        self._log = around.log
        self._peers = around.peers
        self._reading = FailoverReading(
            pchannel, around.keys, around.meta, around.log, host.clock, settings
        )
        self._grant_client = grant_client
        self._callers = callers
        self._master_address = master_address
        self._crash = around.crash
        self._say = telemetry.log
        self._messages = telemetry.counter(
            "sequencer_messages_total", "messages appended", ("pchannel", "what")
        )
        self._bytes = telemetry.counter(
            "sequencer_appended_bytes_total", "bytes of messages appended", ("pchannel",)
        )
        self._seconds = telemetry.histogram(
            "sequencer_append_seconds", "one append until its answer", ("pchannel",)
        )
        self._outcomes = telemetry.counter(
            "sequencer_parts_total", "parts of requests answered", ("pchannel", "outcome")
        )

    async def perform(self, effect: fx.Effect) -> ev.Event | None:
        """Carry an effect out; the event that answers it, if it needs one."""
        match effect:
            case fx.ReadEnd():
                return await self._read(effect.attempt, effect.delay_s, self._read_end)
            case fx.ReadMeta():
                return await self._read(effect.attempt, effect.delay_s, self._read_meta)
            case fx.ReadWindow():
                return await self._read(
                    effect.attempt, effect.delay_s, lambda _: self._read_window(effect)
                )
            case fx.Append():
                return await self._append(effect)
            case fx.Look():
                return await self._look(effect)
            case fx.AskGrant():
                return await self._ask_grant(effect)
            case fx.LeaseIds():
                return await self._lease_ids(effect)
            case fx.AnswerStored():
                await self._answer_stored(effect)
            case fx.Answer():
                self._answer(effect.call, effect.response)
            case fx.Refuse():
                self._callers.answer(effect.call, effect.error)
            case fx.Tell():
                self._tell(effect)
            case _:
                assert_never(effect)
        return None

    # ---- reads -------------------------------------------------------------------------------

    async def _read(
        self, attempt: int, delay_s: float, read: Callable[[int], Awaitable[ev.Event]]
    ) -> ev.Event:
        await self._pause(delay_s)
        try:
            return await read(attempt)
        except Corrupt as error:
            return ev.CorruptRead(attempt, error.message)
        except HeadraceError as error:
            return ev.ReadFailed(attempt, error.message)

    async def _read_end(self, attempt: int) -> ev.Event:
        end = await self._reading.end()
        return ev.EndRead(attempt, end.message_id, end.timestamp, end.mark)

    async def _read_meta(self, attempt: int) -> ev.Event:
        return ev.MetaRead(attempt, await self._reading.meta())

    async def _read_window(self, effect: fx.ReadWindow) -> ev.Event:
        past = await self._reading.window(effect.term, effect.until)
        return ev.WindowRead(effect.attempt, past)

    # ---- the log -----------------------------------------------------------------------------

    async def _append(self, effect: fx.Append) -> ev.Event:
        await self._pause(effect.delay_s)
        self._crash.reach(f"sequencer.{effect.what}.sending")
        began = self._clock.monotonic()
        try:
            message_id = await self._log.append(self._pchannel, effect.parts, effect.expected_last)
        except Invalid as error:
            self._say.error("the log does not take a message", reason=error.message)
            await self._pause(self._settings.retry_most_s)
            return ev.AppendUnanswered(effect.attempt, effect.expected_last, error.message)
        except (Conflict, Unavailable) as error:
            return ev.AppendUnanswered(effect.attempt, effect.expected_last, error.message)
        self._crash.reach(f"sequencer.{effect.what}.stands")
        self._seconds.labels(self._pchannel).observe(self._clock.monotonic() - began)
        self._messages.labels(self._pchannel, effect.what).inc()
        self._bytes.labels(self._pchannel).inc(sum(map(len, effect.parts)))
        return ev.AppendAnswered(effect.attempt, effect.expected_last, message_id)

    async def _look(self, effect: fx.Look) -> ev.Event:
        found = ev.Found.NOTHING
        try:
            message = await self._log.get(self._pchannel, effect.message_id)
        except Unavailable as error:
            self._say.debug("the log was not reached", reason=error.message)
        else:
            if message is not None:
                ours = same_bytes(effect.parts, message.data)
                found = ev.Found.OURS if ours else ev.Found.ANOTHER
        return ev.Looked(effect.attempt, effect.message_id, found)

    # ---- the master service ------------------------------------------------------------------

    async def _ask_grant(self, effect: fx.AskGrant) -> ev.Event:
        await self._pause(effect.delay_s)
        try:
            grant = await self._grant_client.ask(self._pchannel)
        except HeadraceError as error:
            return ev.GrantUnanswered(effect.asked, error.message)
        if self._pchannel not in grant.pchannels:
            return ev.GrantWithheld(effect.asked)
        return ev.Granted(effect.asked, grant.first, grant.count)

    async def _lease_ids(self, effect: fx.LeaseIds) -> ev.Event:
        await self._pause(effect.delay_s)
        address = self._master_address()
        if address is None:
            return ev.IdsUnanswered("no master service leads")
        try:
            ids: AllocIdsResponse = await self._peers.call(
                address, AllocIdsRequest(effect.count), timeout_s=self._settings.ids_timeout_s
            )
        except HeadraceError as error:
            return ev.IdsUnanswered(error.message)
        return ev.IdsLeased(ids.first, ids.count)

    # ---- answers -----------------------------------------------------------------------------

    def _answer(self, call: ev.Call, response: Any) -> None:
        self._callers.answer(call, response)
        if isinstance(response, AppendResponse):
            self._outcomes.labels(self._pchannel, response.outcome).inc()
            if response.outcome == AppendOutcome.DONE:
                self._crash.reach("sequencer.part.answered")

    async def _answer_stored(self, effect: fx.AnswerStored) -> None:
        """Read until it is found: it stands, so absence means nothing."""
        deadline = self._clock.monotonic() + effect.timeout_s
        reason = "was not found"
        while True:
            try:
                response = await self._stored(effect)
            except Unavailable as error:
                reason = error.message
            except HeadraceError as other:
                self._callers.answer(effect.call, other)
                return
            else:
                self._answer(effect.call, response)
                return
            if self._clock.monotonic() >= deadline:
                late = Unavailable(f"the first result was not read in time: {reason}")
                self._callers.answer(effect.call, late)
                return
            await self._pause(self._settings.retry_least_s)

    async def _stored(self, effect: fx.AnswerStored) -> AppendResponse:
        where = f"{self._pchannel}#{effect.message_id}"
        group = await self._reading.group(effect.message_id)
        if group is None:
            raise Corrupt(f"{where} was truncated inside the window", channel=self._pchannel)
        entry = group.entries[effect.index] if effect.index < len(group.entries) else None
        if not isinstance(entry, Rows) or entry.part_id != effect.part_id:
            raise Corrupt(f"{where} does not hold the part that it should", channel=self._pchannel)
        return AppendResponse(
            outcome=AppendOutcome.DONE,
            timestamp=entry.timestamp,
            message_id=effect.message_id,
            rows=entry.rows,
            deletes=entry.deletes,
            version=entry.version,
            repeated=True,
            keys=_keys_of(entry, effect.key, where),
        )

    def _tell(self, effect: fx.Tell) -> None:
        about = {"term": effect.term, "wanted": effect.wanted, "reason": effect.reason}
        say = self._say.error if effect.happening is fx.SequencerNotice.CORRUPT else self._say.info
        known = {name: value for name, value in about.items() if value is not None}
        say(effect.happening.value, pchannel=effect.pchannel, **known)

    async def _pause(self, delay_s: float) -> None:
        if delay_s > 0:
            await self._clock.sleep(jittered(delay_s, self._host))


def _keys_of(entry: Rows, key: str, where: str) -> Body:
    """The key column of the rows, or the keys of the deletes."""
    if not entry.rows:
        return entry.delete_body
    batch = decode_rows(entry.body, where)
    if key not in batch.schema.names:
        return b""
    return encode_keys(batch.column(batch.schema.get_field_index(key)))
