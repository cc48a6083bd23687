"""The newest granted timestamp that this proxy knows, and new ones from the master service."""

import asyncio

from headrace.meta.records import Role
from headrace.model.errors import Fenced, Unavailable
from headrace.model.timestamp import Timestamp
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.settings import ProxySurroundings
from headrace.rpc.messages import AllocTimestampRequest, AllocTimestampResponse

REFRESH_TIMEOUT_S = 1.0


class KnownTime:
    """The newest granted timestamp that this proxy knows.

    What the sequencers of this process know is not asked: after a failover that may be the last
    timestamp of a log that was idle for long, and a request so old is answered *unknown*.
    """

    def __init__(self, around: ProxySurroundings, leaders: Leaders) -> None:
        self.newest: Timestamp = 0
        self._learned = 0.0
        self._leaders = leaders
        self._peers = around.peers
        self._clock = around.host.clock
        self._refresh_s = around.settings.known_timestamp_s
        self._refreshing = asyncio.Lock()

    def learn(self, timestamp: Timestamp) -> None:
        """A granted timestamp was seen."""
        if timestamp > self.newest:
            self.newest = timestamp
            self._learned = self._clock.monotonic()

    async def grant(self, call: ClientCall) -> Timestamp:
        """A timestamp above all that were granted before."""
        answer: AllocTimestampResponse = await self._leaders.call(
            Role.MASTER_SERVICE, AllocTimestampRequest(), call
        )
        self.learn(answer.timestamp)
        return answer.timestamp

    async def now(self, call: ClientCall) -> Timestamp:
        """The newest one; asks for one if that is old, and goes on with it without an answer."""
        if self._is_fresh():
            return self.newest
        async with self._refreshing:
            if self._is_fresh():
                return self.newest
            if self.newest == 0:
                await self.grant(call)
            else:
                await self.refresh()
        return self.newest

    async def refresh(self) -> None:
        """Ask once; when the master service cannot answer, what is known stays."""
        leader = self._leaders.leader(Role.MASTER_SERVICE)
        if leader is None:
            return
        try:
            answer = await self._peers.call(
                leader.address, AllocTimestampRequest(), timeout_s=REFRESH_TIMEOUT_S
            )
        except (Unavailable, Fenced):
            self._learned = self._clock.monotonic()  # ask again after a while only
        else:
            self.learn(answer.timestamp)

    def _is_fresh(self) -> bool:
        age_s = self._clock.monotonic() - self._learned
        return self.newest > 0 and age_s < self._refresh_s
