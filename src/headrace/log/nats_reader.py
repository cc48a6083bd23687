"""The reader of a pchannel on NATS: its own position, one consumer that is thrown away on trouble.

The consumer keeps nothing that matters: no acknowledgements, a new name and a new inbox each time,
a connection of its own (so that a stale consumer's deliveries end with it, and the server's limit
of pending bytes is one reader's). The reader delivers exactly the ids that come next after its
position. A message further on means that something was lost on the way or truncated: the feed is
dropped and the next one finds out which.

Credit: a fetch asks the consumer for at most `max_bytes`; what arrives is handed out as it arrives,
and nothing more is asked for while an order is under way. So at most one order's bytes are here.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from headrace.log import jetstream
from headrace.log.api import Message
from headrace.log.link import Link, dial
from headrace.log.settings import NatsSettings
from headrace.log.wire import Delivery
from headrace.model.channel import PChannel
from headrace.model.errors import Corrupt, Unavailable
from headrace.model.ids import MessageId
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses
from headrace.runtime.telemetry import Telemetry

ORDER_MOST_MESSAGES = 4_096
ORDER_MOST_BYTES = 32 * 1024 * 1024  # stays below what a server lets wait for one connection
SINGLE_BYTES = 64 * 1024  # a smaller credit asks for one message, however large
EXPIRES_S = 30.0
HEARTBEAT_S = 2.0
PAUSES = Pauses(first_s=0.02, most_s=1.0)

NOTHING_IN_TIME = (404, 408)
ALIVE = 100
STOPPED = 409


class _LostEnd(Unavailable):
    """A server knows of no message where the reader already was: it is behind, or has lost it."""


class _Feed:
    """One consumer on one connection, until either fails."""

    def __init__(self, link: Link, settings: NatsSettings, pchannel: PChannel, name: str) -> None:
        self._link = link
        self._settings = settings
        self._pchannel = pchannel
        self._name = name
        self._inbox = ""
        self._next: MessageId = 0
        self._ready: deque[Message] = deque()
        self._order = 0  # number of the order under way or last ended
        self._under_way = False
        self._left = 0  # messages that the order under way may still bring
        self._brought = 0
        self._single = False  # the next message is larger than the credit: ask for it alone
        self._trouble = ""
        self._arrived = asyncio.Event()

    async def open(self, start: MessageId) -> None:
        """Make the consumer; `Corrupt` when `start` was truncated, `_LostEnd` beyond the end."""
        timeout_s = self._settings.answer_timeout_s
        state = await jetstream.stream_state(self._link, self._pchannel, timeout_s=timeout_s)
        if start < state.first:
            raise Corrupt(
                f"{self._pchannel}: message {start} was truncated, the first is {state.first}",
                channel=self._pchannel,
            )
        if start > state.last + 1:
            raise _LostEnd(f"{self._pchannel} ends with message {state.last}, before {start}")
        self._next = start
        self._inbox = self._link.stream(self._deliver, self._lost)
        await jetstream.create_consumer(
            self._link, self._pchannel, self._name, start, timeout_s=timeout_s
        )

    async def take(self, max_bytes: int) -> list[Message]:
        """The messages that are here, within the credit; asks and waits when there is none."""
        while not self._ready:
            if self._trouble:
                raise Unavailable(f"{self._pchannel}: {self._trouble}")
            if not self._under_way:
                self._ask(max_bytes)
            self._arrived.clear()
            try:
                async with asyncio.timeout(self._settings.silence_most_s):
                    await self._arrived.wait()
            except TimeoutError as error:
                raise Unavailable(f"{self._pchannel}: the consumer is silent") from error
        taken = [self._ready.popleft()]
        max_bytes -= len(taken[0].data)
        while self._ready and len(self._ready[0].data) <= max_bytes:
            taken.append(self._ready.popleft())
            max_bytes -= len(taken[-1].data)
        return taken

    async def close(self) -> None:
        """Forget the consumer, if the server still answers, and drop the connection."""
        try:
            await jetstream.delete_consumer(
                self._link, self._pchannel, self._name, timeout_s=self._settings.connected_wait_s
            )
        except Unavailable:
            return  # it forgets it by itself when nobody asks
        finally:
            self._link.close()

    def drop(self) -> None:
        self._link.close()

    def _ask(self, max_bytes: int) -> None:
        single = self._single or max_bytes < SINGLE_BYTES
        self._single = False
        self._order += 1
        self._left = 1 if single else ORDER_MOST_MESSAGES
        self._brought = 0
        self._under_way = True
        jetstream.pull(
            self._link,
            self._pchannel,
            self._name,
            f"{self._inbox}.{self._order}",
            batch=self._left,
            max_bytes=0 if single else min(max_bytes, ORDER_MOST_BYTES),
            expires_s=EXPIRES_S,
            heartbeat_s=HEARTBEAT_S,
        )

    def _deliver(self, delivery: Delivery) -> None:
        if delivery.status:
            self._status(delivery)
            return
        message_id = jetstream.delivered_id(delivery)
        self._left -= 1
        self._brought += 1
        if self._left == 0:
            self._under_way = False
        if message_id > self._next:
            self._trouble = f"message {message_id} came instead of {self._next}"
        elif message_id == self._next and not self._trouble:
            self._ready.append(Message(message_id, delivery.payload))
            self._next += 1
        # One below is what a server sends that begins earlier than asked: already read.
        self._arrived.set()

    def _status(self, delivery: Delivery) -> None:
        of_order = delivery.subject.rpartition(b".")[2]
        text = delivery.status_text
        if of_order != str(self._order).encode():
            return  # of an order that has ended
        if delivery.status in NOTHING_IN_TIME:
            self._under_way = False
        elif delivery.status == STOPPED and text.startswith("Message Size Exceeds MaxBytes"):
            self._under_way = False
            self._single = self._brought == 0
        elif delivery.status == STOPPED and text.startswith("Batch Completed"):
            self._under_way = False
        elif delivery.status != ALIVE:
            self._trouble = f"the consumer says {delivery.status} {text}"
        self._arrived.set()

    def _lost(self) -> None:
        self._trouble = "the connection was lost"
        self._arrived.set()


class NatsReader:
    """See `headrace.log.api.LogReader`. One fetch at a time."""

    def __init__(
        self,
        settings: NatsSettings,
        host: Host,
        telemetry: Telemetry,
        pchannel: PChannel,
        start: MessageId,
    ) -> None:
        self._settings = settings
        self._host = host
        self._log = telemetry.log
        self._read_bytes = telemetry.counter("log_read_bytes", "Bytes of messages read")
        self._pchannel = pchannel
        self._next = max(start, 1)
        self._feed: _Feed | None = None
        self._backoff = Backoff(host, PAUSES)
        self._lost_end_since: float | None = None

    async def fetch(self, max_bytes: int) -> Sequence[Message]:
        while True:
            try:
                if self._feed is None:
                    self._feed = await self._open()
                messages = await self._feed.take(max_bytes)
            except Unavailable as error:
                self._drop()
                self._judge(error)
                pause = self._backoff.next_s()
                self._log.debug("opens a reader anew", pchannel=self._pchannel, why=error.message)
                await self._host.clock.sleep(pause)
            else:
                self._backoff.reset()
                self._lost_end_since = None
                self._next = messages[-1].id + 1
                self._read_bytes.inc(sum(len(message.data) for message in messages))
                return messages

    async def close(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            await feed.close()

    async def _open(self) -> _Feed:
        link = await dial(self._settings, self._host)
        name = f"headrace-{self._host.token(8).hex()}"
        feed = _Feed(link, self._settings, self._pchannel, name)
        try:
            await feed.open(self._next)
        except BaseException:
            feed.drop()
            raise
        return feed

    def _judge(self, error: Unavailable) -> None:
        """`Corrupt` when for `lost_end_s` no server said anything but that the end is lost."""
        if not isinstance(error, _LostEnd):
            self._lost_end_since = None
            return
        now = self._host.clock.monotonic()
        if self._lost_end_since is None:
            self._lost_end_since = now
        if now - self._lost_end_since >= self._settings.lost_end_s:
            raise Corrupt(f"the log has lost its end: {error.message}", channel=self._pchannel)

    def _drop(self) -> None:
        if self._feed is not None:
            self._feed.drop()
            self._feed = None
