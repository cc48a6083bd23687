"""Who sequences a pchannel, and calls to it: in this process or in another proxy's.

This proxy keeps a copy of the assignments, calls its own sequencers directly and those of other
processes as peers, and reports a process that it cannot reach. Callers repeat what failed.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, TypeVar

from headrace.meta.following import Following
from headrace.meta.records import Role, SequencerRecord
from headrace.model.channel import PChannel, pchannel_of
from headrace.model.errors import HeadraceError, Unavailable
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.settings import ProxySurroundings
from headrace.rpc.api import Handler, NotSent, Peers
from headrace.rpc.messages import (
    AppendRequest,
    AppendResponse,
    SealRequest,
    SealResponse,
    SuspectRequest,
)
from headrace.runtime.race import pause, unless, within

T = TypeVar("T")
SUSPECT_TIMEOUT_S = 2.0


class SequencerPort(Protocol):
    """What a proxy asks of the sequencers of one process, its own or another.

    Both methods raise `Fenced` when that process does not sequence the pchannel, `NotSent` when
    surely nothing of the request was or will be sent to the log, and `Unavailable` when the outcome
    is not known.
    """

    async def append(self, request: AppendRequest) -> AppendResponse:
        """Append one part, or find that it stands."""
        ...

    async def seal(self, request: SealRequest) -> SealResponse:
        """Seal what is open of a collection; sealing it again changes nothing."""
        ...


class OwnSequencers(SequencerPort, Protocol):
    """The sequencers that live in this process."""

    def status(self) -> list[dict[str, Any]]:
        """Every pchannel that they sequence, for people."""
        ...

    def handlers(self) -> Mapping[type, Handler]:
        """What they answer to peers: request type -> coroutine function."""
        ...

    async def run(self) -> None:
        """Sequence what is assigned to this process, until stopped."""
        ...

    def stop(self) -> None:
        """Ask for a clean end."""
        ...


class RemoteSequencers:
    """The sequencers of another process; a call that takes longer ends in `Unavailable`."""

    def __init__(self, peers: Peers, address: str, timeout_s: float) -> None:
        self._peers = peers
        self._address = address
        self._timeout_s = timeout_s

    async def append(self, request: AppendRequest) -> AppendResponse:
        response: AppendResponse = await self._call(request)
        return response

    async def seal(self, request: SealRequest) -> SealResponse:
        response: SealResponse = await self._call(request)
        return response

    async def _call(self, request: AppendRequest | SealRequest) -> Any:
        return await self._peers.call(self._address, request, timeout_s=self._timeout_s)


class Sequencing:
    """Calls to the sequencers of all pchannels."""

    def __init__(self, around: ProxySurroundings, own: SequencerPort, leaders: Leaders) -> None:
        self.server_id = 0  # of this process, once it is registered
        self._own = own
        self._leaders = leaders
        self._keys = around.keys
        self._peers = around.peers
        self._clock = around.host.clock
        self._suspect_again_s = around.settings.suspect_again_s
        self._log = around.telemetry.log
        self._suspected: dict[int, float] = {}
        self._reports: dict[int, asyncio.Task[None]] = {}
        prefix = around.keys.sequencers_prefix
        self._copy = Following(around.meta, prefix, SequencerRecord, around.host, around.telemetry)

    async def run(self) -> None:
        """Follow the assignments for ever."""
        await self._copy.run()

    async def append(self, request: AppendRequest, *, timeout_s: float) -> AppendResponse:
        """Have the pchannel's sequencer append a part; `NotSent` when none is known or reached."""
        pchannel = pchannel_of(request.vchannel)
        record = self._assigned(pchannel)
        appended = self._port(record, timeout_s).append(request)
        return await self._answer(pchannel, record, appended, timeout_s)

    async def seal(self, request: SealRequest, *, timeout_s: float) -> SealResponse:
        """Have the pchannel's sequencer seal; `NotSent` when none is known or reached."""
        record = self._assigned(request.pchannel)
        sealed = self._port(record, timeout_s).seal(request)
        return await self._answer(request.pchannel, record, sealed, timeout_s)

    def count(self) -> int:
        """How many changes of the assignments were seen; for `moved`."""
        return self._copy.changes.count

    async def moved(self, count: int, seconds: float) -> None:
        """Wait until the assignments have changed since `count`, at most `seconds`."""
        await pause(self._clock, seconds, self._copy.changes.after(count))

    def _assigned(self, pchannel: PChannel) -> SequencerRecord:
        record = self._copy.items.get(self._keys.sequencer(pchannel))
        if record is None:
            raise NotSent(f"pchannel {pchannel} has no sequencer yet")
        return record

    def _port(self, record: SequencerRecord, timeout_s: float) -> SequencerPort:
        if record.server_id == self.server_id:
            return self._own
        return RemoteSequencers(self._peers, record.address, timeout_s)

    async def _answer(
        self, pchannel: PChannel, record: SequencerRecord, asked: Awaitable[T], timeout_s: float
    ) -> T:
        """What the sequencer answers, within its time and while the pchannel is assigned to it."""
        if record.server_id == self.server_id:
            try:
                return await within(self._clock, timeout_s, asked)
            except TimeoutError:
                raise Unavailable(f"no answer within {timeout_s:.1f} s") from None
        try:
            return await unless(self._replaced(pchannel, record), asked)
        except NotSent:
            self._suspect(record)
            raise
        except TimeoutError:  # it may be frozen: its outcome is learnt from its successor
            raise Unavailable(f"{record.node_name} was replaced before it answered") from None

    async def _replaced(self, pchannel: PChannel, record: SequencerRecord) -> None:
        """Return when the pchannel is assigned to another process."""
        while True:
            seen = self._copy.changes.count
            wanted = self._copy.items.get(self._keys.sequencer(pchannel))
            if wanted is None or wanted.server_id != record.server_id:
                return
            await self._copy.changes.after(seen)

    def _suspect(self, record: SequencerRecord) -> None:
        """Report it to the master service, at most once a while, without waiting for that."""
        now = self._clock.monotonic()
        if now < self._suspected.get(record.server_id, 0.0):
            return
        self._suspected[record.server_id] = now + self._suspect_again_s
        self._reports[record.server_id] = asyncio.create_task(self._report(record))

    async def _report(self, record: SequencerRecord) -> None:
        """The master service tries its own connection; it may be away itself."""
        leader = self._leaders.leader(Role.MASTER_SERVICE)
        if leader is None:
            return
        suspicion = SuspectRequest(server_id=record.server_id, address=record.address)
        try:
            await self._peers.call(leader.address, suspicion, timeout_s=SUSPECT_TIMEOUT_S)
        except HeadraceError as error:
            self._log.info("a suspicion was not heard", of=record.address, reason=error.message)
