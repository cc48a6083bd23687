"""Has the parts of a request appended, each repeated under its id until its outcome is known.

**Owns** the repetition, its end, and the answer to "may anything of this request stand in a log?".
**Does not own** what a part holds (`plan`) or what follows from a stale one (`writes`).

pymilvus repeats what ends in `UNAVAILABLE` by itself, with identical bytes but, without a key,
under another id. So that status is given only while no part stands anywhere and none may still come
to: every attempt found nobody, or was refused before it was sent. Once an attempt may have got
through, the parts are repeated to the client's deadline, and then `DEADLINE_EXCEEDED` says that the
outcome is not known. A log whose disk is full is said at once, in a Status, which is not repeated.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.model.channel import pchannel_of
from headrace.model.errors import Fenced, Unavailable
from headrace.proxy.call import Call
from headrace.proxy.cluster.sequencers import Sequencing
from headrace.proxy.errors import Ending, Refusal
from headrace.proxy.settings import ProxySettings
from headrace.rpc.api import NotSent
from headrace.rpc.messages import AppendRequest, AppendResponse
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff

# The share of an attempt's time after which a sequencer that has not sent the part says so.
ANSWERED_BY = 0.9


@dataclass(slots=True)
class Standing:
    """What is known of a request's parts together. `possible`: one stands, or may."""

    started: float
    in_flight: int = 0
    possible: bool = False
    given_up: bool = False
    log_full: bool = False
    last: str = "nothing was tried"


class Sender:
    """Appends parts through the sequencers of their pchannels."""

    def __init__(self, sequencing: Sequencing, host: Host, settings: ProxySettings) -> None:
        self._sequencing = sequencing
        self._host = host
        self._settings = settings

    def begin(self) -> Standing:
        """The standing of a request of which nothing was sent yet."""
        return Standing(self._host.clock.monotonic())

    async def send(
        self, parts: Sequence[AppendRequest], call: Call, standing: Standing
    ) -> list[AppendResponse]:
        """The outcomes of all parts, in their order, once all are known.

        Raises what a sequencer refused (`Invalid`, `Corrupt`), or `Aborted` when time is over.
        """
        outcomes = await asyncio.gather(
            *(self._append(part, call, standing) for part in parts), return_exceptions=True
        )
        failures = [o for o in outcomes if isinstance(o, BaseException)]
        for failure in failures:
            if not isinstance(failure, _TimeOver):
                raise failure
        if failures:
            raise self.time_over(standing)
        return [o for o in outcomes if isinstance(o, AppendResponse)]

    def time_over(self, standing: Standing) -> Exception:
        """How a request ends whose outcome is not known, or of which surely nothing stands."""
        if standing.possible or standing.in_flight:
            return Ending.OUTCOME_OPEN(reason=standing.last)
        if standing.log_full:
            return Refusal.LOG_FULL(reason=standing.last)
        return Ending.NOTHING_WRITTEN(reason=standing.last)

    async def _append(self, part: AppendRequest, call: Call, standing: Standing) -> AppendResponse:
        pchannel = pchannel_of(part.vchannel)
        backoff = Backoff(self._host, self._settings.pauses)
        while not standing.given_up and call.remaining_s > 0:
            seen = self._sequencing.count()
            timeout_s = min(self._settings.append_timeout_s, call.remaining_s)
            deadline_ms = max(1, int(timeout_s * 1000 * ANSWERED_BY))
            request = replace(part, deadline_ms=deadline_ms)
            standing.in_flight += 1
            try:
                response = await self._sequencing.call(pchannel, request, timeout_s=timeout_s)
                assert isinstance(response, AppendResponse)
                if response.outcome not in ("refused", "full"):
                    standing.possible |= response.outcome != "stale"
                    return response
                standing.last, standing.log_full = response.reason, response.outcome == "full"
            except (NotSent, Fenced) as error:
                standing.last = error.message
            except Unavailable as error:
                standing.possible, standing.last = True, error.message
            except asyncio.CancelledError:
                standing.possible = True
                raise
            finally:
                standing.in_flight -= 1
            self._give_up_early(standing)
            await self._sequencing.moved(seen, min(backoff.next_s(), call.remaining_s))
        raise _TimeOver

    def _give_up_early(self, standing: Standing) -> None:
        """Answer early while that is harmless: the client repeats, perhaps elsewhere."""
        waited_s = self._host.clock.monotonic() - standing.started
        if not standing.possible and not standing.in_flight:
            patience_s = self._settings.unavailable_after_s
            standing.given_up = standing.log_full or waited_s >= patience_s


class _TimeOver(Exception):
    """One part has no outcome."""
