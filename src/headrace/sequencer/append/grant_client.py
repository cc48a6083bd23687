"""Where the sequencers of one process get timestamps: one call in flight for all of them.

What a grant may be used for is decided in `grants`. All who ask while a call is out share the next
one, so a grant was always asked for after the question; calls begin `grant_pause_s` apart at least,
so that the master service gets a few hundred calls a second from a process, however many requests
it serves.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from headrace.model.channel import PChannel
from headrace.model.errors import HeadraceError, Unavailable
from headrace.model.ids import ServerId
from headrace.rpc.api import Peers
from headrace.rpc.messages import GrantRequest, GrantResponse
from headrace.runtime.host import Clock
from headrace.sequencer.settings import SequencerSettings


@dataclass(slots=True, eq=False)
class _Asker:
    pchannel: PChannel
    answer: "asyncio.Future[GrantResponse]"


class GrantClient:
    """One for all pchannels of a process. `run` makes the calls."""

    def __init__(
        self,
        *,
        settings: SequencerSettings,
        clock: Clock,
        peers: Peers,
        master_address: Callable[[], str | None],
        server_id: Callable[[], ServerId | None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._peers = peers
        self._master_address = master_address
        self._server_id = server_id
        self._askers: list[_Asker] = []
        self._wake = asyncio.Event()

    async def ask(self, pchannel: PChannel) -> GrantResponse:
        """The answer of a call that begins after this; `pchannel` is in it if it is for it.

        Raises `HeadraceError` when the master service does not answer.
        """
        answer: asyncio.Future[GrantResponse] = asyncio.get_running_loop().create_future()
        self._askers.append(_Asker(pchannel, answer))
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """Make calls, one at a time, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            askers, self._askers = self._askers, []
            began = self._clock.monotonic()
            try:
                response = await self._call(tuple(sorted({a.pchannel for a in askers})))
            except HeadraceError as error:
                for asker in askers:
                    if not asker.answer.done():
                        asker.answer.set_exception(error)
            else:
                for asker in askers:
                    if not asker.answer.done():
                        asker.answer.set_result(response)
            left_s = self._settings.grant_pause_s - (self._clock.monotonic() - began)
            if left_s > 0:
                await self._clock.sleep(left_s)

    async def _call(self, pchannels: tuple[PChannel, ...]) -> GrantResponse:
        address, server_id = self._master_address(), self._server_id()
        if address is None or server_id is None:
            raise Unavailable("no master service leads")
        request = GrantRequest(
            server_id=server_id, count=self._settings.grant_count, pchannels=pchannels
        )
        response: GrantResponse = await self._peers.call(
            address, request, timeout_s=self._settings.grant_timeout_s
        )
        return response
