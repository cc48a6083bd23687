"""Who a request is: its id, whether that is a client's key, its fingerprint, and when it was sent.

**Owns** the headers of idempotency and the newest timestamp that this proxy knows of. **Does not
own** the window in which ids are kept (the sequencer).

A request without a key gets an id of its own, so its repetitions by this proxy are recognised and
those by its client are not. A client's key makes the id the same through every proxy. `first_sent`
is the newest granted timestamp known here, never a clock's, or what the client says: older is safe
(the id may already be forgotten, which is then found out), newer is not.
"""

import asyncio
from dataclasses import dataclass

from headrace.meta.records import Role
from headrace.model.errors import Fenced, Unavailable
from headrace.model.request import fingerprint
from headrace.model.timestamp import Timestamp
from headrace.proxy.call import Call
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.errors import Refusal
from headrace.rpc.api import Peers
from headrace.rpc.messages import AllocTimestampRequest, AllocTimestampResponse
from headrace.runtime.host import Host

KEY_HEADER = "idempotency-key"
REQUEST_ID_HEADER = "client-request-id"
REQUEST_ID_PREFIX = "headrace:"
FIRST_SENT_HEADER = "headrace-first-sent"
KEY_LENGTH_MAX = 256
REFRESH_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Identity:
    """What the parts of a request carry, so that a repetition meets its first result."""

    request_id: bytes
    keyed: bool
    fingerprint: bytes
    first_sent: Timestamp


class KnownTime:
    """The newest granted timestamp that this proxy knows.

    What the sequencers of this process know is not asked: after a failover that may be the last
    timestamp of a log that was idle for long, and a request so old is answered *unknown*.
    """

    def __init__(
        self,
        *,
        leaders: Leaders,
        peers: Peers,
        host: Host,
        refresh_s: float,
    ) -> None:
        self.newest: Timestamp = 0
        self._learned = 0.0
        self._leaders = leaders
        self._peers = peers
        self._host = host
        self._refresh_s = refresh_s
        self._refreshing = asyncio.Lock()

    def learn(self, timestamp: Timestamp) -> None:
        """A timestamp was seen that somebody was granted."""
        if timestamp > self.newest:
            self.newest = timestamp
            self._learned = self._host.clock.monotonic()

    async def now(self, call: Call) -> Timestamp:
        """The newest one; asks for one if that is old, and goes on with it if nobody answers."""
        if self._is_fresh():
            return self.newest
        async with self._refreshing:
            if self._is_fresh():
                return self.newest
            if self.newest == 0:
                answer: AllocTimestampResponse = await self._leaders.call(
                    Role.MASTER_SERVICE, AllocTimestampRequest(), call
                )
                self.learn(answer.timestamp)
                return self.newest
            await self.refresh()
        return self.newest

    async def refresh(self) -> None:
        """Ask once; trouble of the master service leaves what is known."""
        leader = self._leaders.leader(Role.MASTER_SERVICE)
        if leader is None:
            return
        try:
            answer = await self._peers.call(
                leader.address, AllocTimestampRequest(), timeout_s=REFRESH_TIMEOUT_S
            )
        except (Unavailable, Fenced):
            self._learned = self._host.clock.monotonic()  # ask again after a while only
            return
        self.learn(answer.timestamp)

    def _is_fresh(self) -> bool:
        age_s = self._host.clock.monotonic() - self._learned
        return self.newest > 0 and age_s < self._refresh_s


async def identify(call: Call, known: KnownTime, host: Host) -> Identity:
    """The identity of a write; `Invalid` naming the header that makes no sense."""
    key = _key(call)
    stated = call.headers.get(FIRST_SENT_HEADER)
    if key is None:
        if stated is not None:
            _refuse(FIRST_SENT_HEADER, stated, "served only together with an idempotency key")
        request_id = b"r" + host.token(16)
        return Identity(request_id, False, request_id[1:], await known.now(call))
    newest = await known.now(call)
    first_sent = newest
    if stated is not None:
        if not (stated.isascii() and stated.isdigit() and len(stated) <= 19):
            _refuse(FIRST_SENT_HEADER, stated, "not a timestamp, as a write answers it")
        first_sent = int(stated)
        if first_sent > newest:
            await known.refresh()
        if first_sent > known.newest:
            _refuse(FIRST_SENT_HEADER, stated, "above every timestamp given out so far")
    return Identity(b"k" + key.encode(), True, fingerprint(call.method, call.request), first_sent)


def _key(call: Call) -> str | None:
    key = call.headers.get(KEY_HEADER)
    request_id = call.headers.get(REQUEST_ID_HEADER, "")
    if request_id.startswith(REQUEST_ID_PREFIX):
        other = request_id.removeprefix(REQUEST_ID_PREFIX)
        if key is not None and key != other:
            _refuse(KEY_HEADER, key, f"another key than that in {REQUEST_ID_HEADER}")
        key = other
    if key is not None and not 0 < len(key) <= KEY_LENGTH_MAX:
        _refuse(KEY_HEADER, key[:KEY_LENGTH_MAX], f"not a key of 1 to {KEY_LENGTH_MAX} characters")
    return key


def _refuse(header: str, value: str, reason: str) -> None:
    raise Refusal.HEADER_BAD(at=header, header=header, value=value, reason=reason)
