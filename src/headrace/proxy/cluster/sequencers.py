"""Who sequences a pchannel, and calls to it: in this process or in another proxy's.

**Owns** the records of wanted sequencers as this proxy knows them, the choice between a direct call
and a peer, and the report of a sequencer that cannot be reached. **Does not own** repetition
(`writes`, `flush`) or anything that the sequencer decides.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from headrace.meta.api import MetaStore
from headrace.meta.following import Following
from headrace.meta.keys import Keys
from headrace.meta.records import Role, SequencerRecord
from headrace.model.channel import PChannel
from headrace.model.errors import HeadraceError, Unavailable
from headrace.proxy.cluster.leaders import Leaders
from headrace.rpc.api import Handler, NotSent, Peers
from headrace.rpc.messages import AppendRequest, AppendResponse, SuspectRequest
from headrace.runtime.host import Host
from headrace.runtime.race import pause, unless, within
from headrace.runtime.telemetry import Telemetry

SUSPECT_TIMEOUT_S = 2.0


class SequencerPort(Protocol):
    """The sequencers of this process, as the proxy sees them."""

    async def append(self, request: AppendRequest) -> AppendResponse:
        """Append one part, or find that it stands; `Fenced` when this process does not sequence.

        `NotSent`: surely nothing of it was or will be sent to the log.
        """
        ...

    def sequences(self, pchannel: PChannel) -> bool:
        """Whether this process is the sequencer, as far as it knows."""
        ...

    def status(self) -> list[dict[str, Any]]:
        """Every pchannel that they sequence, for people."""
        ...

    def handlers(self) -> Mapping[type, Handler]:
        """What it answers to peers: request type -> coroutine function."""
        ...

    async def run(self) -> None:
        """Sequence what this process is wanted for, until stopped."""
        ...

    def stop(self) -> None:
        """Ask for a clean end."""
        ...


class Sequencing:
    """Calls to the sequencers of all pchannels."""

    def __init__(
        self,
        *,
        meta: MetaStore,
        keys: Keys,
        peers: Peers,
        host: Host,
        telemetry: Telemetry,
        own: SequencerPort,
        leaders: Leaders,
        suspect_again_s: float,
    ) -> None:
        self.server_id = 0  # of this process, once it is registered
        self._keys = keys
        self._peers = peers
        self._host = host
        self._own = own
        self._leaders = leaders
        self._suspect_again_s = suspect_again_s
        self._log = telemetry.log
        self._suspected: dict[int, float] = {}
        self._reports: dict[int, asyncio.Task[None]] = {}
        self._copy = Following(meta, keys.sequencers_prefix, SequencerRecord, host, telemetry)

    async def run(self) -> None:
        """Follow the records for ever."""
        await self._copy.run()

    async def call(self, pchannel: PChannel, request: Any, *, timeout_s: float) -> Any:
        """The answer of the pchannel's sequencer; `NotSent` when nobody is known or reached."""
        record = self._copy.items.get(self._keys.sequencer(pchannel))
        if record is None:
            raise NotSent(f"pchannel {pchannel} has no sequencer yet")
        if record.server_id == self.server_id:
            return await self._ask_own(request, timeout_s)
        asked = self._peers.call(record.address, request, timeout_s=timeout_s)
        try:
            return await unless(self._replaced(pchannel, record), asked)
        except NotSent:
            self._suspect(record)
            raise
        except TimeoutError:  # it may be frozen: its outcome is learnt from its successor
            raise Unavailable(f"{record.node_name} was replaced before it answered") from None

    async def _replaced(self, pchannel: PChannel, record: SequencerRecord) -> None:
        """Return when another process is wanted."""
        while True:
            seen = self._copy.changes.count
            wanted = self._copy.items.get(self._keys.sequencer(pchannel))
            if wanted is None or wanted.server_id != record.server_id:
                return
            await self._copy.changes.after(seen)

    async def _ask_own(self, request: Any, timeout_s: float) -> Any:
        handler = self._own.handlers()[type(request)]
        try:
            return await within(self._host.clock, timeout_s, handler(request))
        except TimeoutError:
            raise Unavailable(f"no answer within {timeout_s:.1f} s") from None

    def count(self) -> int:
        """How many changes of the records were seen; for `moved`."""
        return self._copy.changes.count

    async def moved(self, count: int, seconds: float) -> None:
        """Wait until the records have changed since `count`, at most `seconds`."""
        await pause(self._host.clock, seconds, self._copy.changes.after(count))

    def _suspect(self, record: SequencerRecord) -> None:
        """Have it told to the master service, at most once a while; the caller does not wait."""
        now = self._host.clock.monotonic()
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
