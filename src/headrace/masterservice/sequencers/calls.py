"""Calls to sequencers: each goes to whom the record names, again at its next revision.

Who is asked and does not sequence answers `Fenced`; the record is read anew before each attempt,
linearizably, so the request follows a pchannel wherever it moves. A refused connection is a
suspicion of our own.
"""

from collections.abc import Callable
from typing import Any

from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import SequencerRecord
from headrace.model import codec
from headrace.model.channel import PChannel
from headrace.model.errors import HeadraceError, Unavailable
from headrace.model.ids import ServerId
from headrace.rpc.api import NotSent
from headrace.runtime.retry import Backoff


class SequencerCalls:
    """Asks the sequencers of pchannels."""

    def __init__(
        self,
        around: Surroundings[MasterServiceSettings],
        store: LeaderStore,
        suspect: Callable[[ServerId, str], None],
    ) -> None:
        self._store = store
        self._keys = around.keys
        self._peers = around.peers
        self._host = around.host
        self._log = around.telemetry.log
        self._pauses = around.settings.pauses
        self._timeout_s = around.settings.ddl_call_timeout_s
        self._suspect = suspect

    async def ask(self, pchannel: PChannel, request: Any, *, within_s: float | None = None) -> Any:
        """The response of the process that is the pchannel's sequencer by then.

        Repeated until it is answered, or for `within_s` (then `Unavailable`). The request must be
        safe to repeat.
        """
        backoff = Backoff(self._host, self._pauses)
        deadline = None if within_s is None else self._host.clock.monotonic() + within_s
        last = ""
        while True:
            found = (await self._store.get(self._keys.sequencer(pchannel))).first
            reason = "it has no sequencer yet"
            if found is not None:
                record = codec.decode(found.value, SequencerRecord, found.key)
                try:
                    return await self._peers.call(
                        record.address, request, timeout_s=self._timeout_s
                    )
                except HeadraceError as error:
                    reason = error.message
                    if isinstance(error, NotSent):
                        self._suspect(record.server_id, record.address)
            if reason != last:
                self._log.warning(
                    "a pchannel's sequencer does not answer, asking again",
                    pchannel=pchannel,
                    request=type(request).__name__,
                    reason=reason,
                )
                last = reason
            pause = backoff.next_s()
            if deadline is not None and self._host.clock.monotonic() + pause > deadline:
                raise Unavailable(f"the sequencer of {pchannel} does not answer: {reason}")
            await self._host.clock.sleep(pause)
