"""Has the parts of a request appended, each repeated under its id until its outcome is known.

pymilvus repeats what ends in `UNAVAILABLE` by itself, with identical bytes but, without a key,
under another id. So that status is given only while no part stands anywhere and none may still come
to: every attempt reached no sequencer, or was refused before it was sent. Once an attempt may have
got through, the parts are repeated to the client's deadline, and then `DEADLINE_EXCEEDED` says that
the outcome is not known. A full log disk is answered at once, in a Status, which is not repeated.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from headrace.model.errors import Fenced, Unavailable
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.sequencers import Sequencing
from headrace.proxy.errors import Ending, Refusal
from headrace.proxy.settings import ProxySettings
from headrace.rpc.api import NotSent
from headrace.rpc.messages import AppendRequest, AppendResponse
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff

# The share of an attempt's time after which a sequencer that has not sent the part answers so.
ANSWERED_BY = 0.9


class PartSender:
    """The appends of one request, and what is known of all its parts together.

    `possible`: a part stands in a log, or may. `reason`: why the last attempt failed.
    """

    def __init__(
        self, sequencing: Sequencing, host: Host, settings: ProxySettings, call: ClientCall
    ) -> None:
        self.possible = False
        self.reason = "nothing was tried"
        self._sequencing = sequencing
        self._host = host
        self._settings = settings
        self._call = call
        self._started = host.clock.monotonic()
        self._in_flight = 0
        self._given_up = False
        self._log_full = False

    async def send(self, parts: Sequence[AppendRequest]) -> list[AppendResponse]:
        """The outcomes of all parts, in their order, once all are known.

        Raises what a sequencer refused (`Invalid`, `Corrupt`), or `Aborted` when time is over.
        """
        outcomes = await asyncio.gather(
            *(self._append(part) for part in parts), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        known = [o for o in outcomes if isinstance(o, AppendResponse)]
        if len(known) < len(parts):
            raise self._time_over()
        return known

    async def pause(self, backoff: Backoff) -> None:
        """Wait before the next try; the request's end when the client's time is over."""
        if self._call.remaining_s <= 0:
            raise self._time_over()
        await self._host.clock.sleep(min(backoff.next_s(), self._call.remaining_s))

    def _time_over(self) -> Exception:
        """How a request ends whose outcome is not known, or of which surely nothing stands."""
        if self.possible or self._in_flight:
            return Ending.OUTCOME_OPEN(reason=self.reason)
        if self._log_full:
            return Refusal.LOG_FULL(reason=self.reason)
        return Ending.NOTHING_WRITTEN(reason=self.reason)

    async def _append(self, part: AppendRequest) -> AppendResponse | None:
        """The outcome of one part; None when it has none before the time is over."""
        backoff = Backoff(self._host, self._settings.pauses)
        while not self._given_up and self._call.remaining_s > 0:
            seen = self._sequencing.count()
            timeout_s = min(self._settings.append_timeout_s, self._call.remaining_s)
            deadline_ms = max(1, int(timeout_s * 1000 * ANSWERED_BY))
            request = replace(part, deadline_ms=deadline_ms)
            self._in_flight += 1
            try:
                response = await self._sequencing.append(request, timeout_s=timeout_s)
                if response.outcome not in ("refused", "full"):
                    self.possible |= response.outcome != "stale"
                    return response
                self.reason, self._log_full = response.reason, response.outcome == "full"
            except (NotSent, Fenced) as error:
                self.reason = error.message
            except Unavailable as error:
                self.possible, self.reason = True, error.message
            except asyncio.CancelledError:
                self.possible = True
                raise
            finally:
                self._in_flight -= 1
            if not self.possible and not self._in_flight:
                # An early answer is harmless: the client repeats, perhaps at another proxy.
                waited_s = self._host.clock.monotonic() - self._started
                self._given_up = self._log_full or waited_s >= self._settings.unavailable_after_s
            await self._sequencing.moved(seen, min(backoff.next_s(), self._call.remaining_s))
        return None
