"""A NATS connection that answers: hello, requests with their answers, signs of life.

A frozen server keeps its connections open, so silence is the only sign of it: every `ping_s` a PING
is sent, and after `silence_most_s` without a single byte the link is dropped. Requests that wait
then end in `Unavailable`, which is no outcome: what was sent may still be taken. `log.nats`
(appends) and `log.nats_reader` (reads) each have a link of their own and decide when to dial again.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from headrace.log.settings import NatsSettings
from headrace.log.wire import Delivery, Wire
from headrace.model.entry import Body
from headrace.model.errors import Invalid, Unavailable
from headrace.runtime.host import Host

DEFAULT_PORT = 4222
ANSWERS = b"1"  # the subscription that carries answers to requests
STREAM = b"2"  # the one that carries what a consumer delivers


@dataclass(frozen=True, slots=True)
class Address:
    """A server of the settings, and what it is told about who we are."""

    hostname: str
    port: int
    login: dict[str, str] = field(repr=False)


class Link:
    """One connection. Made by `dial`; every method raises `Unavailable` once it is lost."""

    def __init__(self, settings: NatsSettings, host: Host, url: str) -> None:
        self.url = url
        self.info: dict[str, Any] = {}
        self._settings = settings
        self._host = host
        self._inbox = f"_INBOX.{host.token(12).hex()}"
        self._waiting: dict[int, asyncio.Future[Delivery]] = {}
        self._asked = 0
        self._on_stream: Callable[[Delivery], None] | None = None
        self._on_lost: Callable[[], None] | None = None
        self._hello: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._lost = asyncio.Event()
        self._lost_reason = ""
        self._wire = Wire(self._got_info, self._got_delivery, self._was_lost)
        self._watch: asyncio.Task[None] | None = None

    async def lost(self) -> str:
        """Return the reason when the connection is gone."""
        await self._lost.wait()
        return self._lost_reason

    async def request(
        self,
        subject: str,
        parts: Sequence[Body] = (),
        *,
        headers: str = "",
        timeout_s: float,
    ) -> Delivery:
        """The answer to a message: `headers` (`Name: value\\r\\n` each) and the parts, joined.

        `Unavailable`: not sent, or the answer is late or lost, or nobody serves the subject.
        """
        self._check()
        self._asked += 1
        number = self._asked
        answer: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self.publish(subject, parts, headers=headers, reply=f"{self._inbox}.a.{number}")
            async with asyncio.timeout(timeout_s):
                delivery = await answer
        except TimeoutError as error:
            raise Unavailable(f"no answer from {self.url} to {subject}") from error
        finally:
            del self._waiting[number]
        if delivery.status == 503:
            raise Unavailable(f"nobody at {self.url} serves {subject}")
        return delivery

    def publish(
        self, subject: str, parts: Sequence[Body] = (), *, headers: str = "", reply: str = ""
    ) -> None:
        """Send a message and wait for nothing; its parts must not change from now on."""
        self._check()
        size = sum(map(len, parts))
        target = f"{subject} {reply}" if reply else subject
        if headers:
            head = f"NATS/1.0\r\n{headers}\r\n".encode()
            line = f"HPUB {target} {len(head)} {len(head) + size}\r\n".encode() + head
        else:
            line = f"PUB {target} {size}\r\n".encode()
        self._wire.send([line, *parts, b"\r\n"])

    def stream(self, on_delivery: Callable[[Delivery], None], on_lost: Callable[[], None]) -> str:
        """Hand all that is sent below the returned subject to `on_delivery`; once a link."""
        assert self._on_stream is None
        self._check()
        self._on_stream, self._on_lost = on_delivery, on_lost
        self._wire.send([f"SUB {self._inbox}.s.* {STREAM.decode()}\r\n".encode()])
        return f"{self._inbox}.s"

    def close(self) -> None:
        self._wire.abort("closed")

    async def connect(self, address: Address) -> None:
        """Open the connection, wait for the server's hello, send ours, see that it is accepted."""
        await asyncio.get_running_loop().create_connection(
            lambda: self._wire, address.hostname, address.port
        )
        self.info = await self._hello
        if self.info.get("tls_required"):
            raise Invalid(f"{self.url} wants TLS, which is not served yet", field="log.servers")
        options: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
            "protocol": 1,
            "lang": "python",
            "version": "headrace",
            "name": "headrace",
        }
        options |= address.login
        connect = f"CONNECT {json.dumps(options)}\r\n".encode()
        subscribe = f"SUB {self._inbox}.a.* {ANSWERS.decode()}\r\n".encode()
        self._wire.send([connect, subscribe])
        # A message to ourselves: that it comes back proves that the hello was accepted.
        accepted: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        self._waiting[0] = accepted
        self.publish(f"{self._inbox}.a.0")
        await accepted
        del self._waiting[0]
        self._watch = asyncio.create_task(self._watch_silence(), name=f"silence:{self.url}")

    def _check(self) -> None:
        if self._lost.is_set():
            raise Unavailable(f"no connection to {self.url}: {self._lost_reason}")

    def _got_info(self, info: dict[str, Any]) -> None:
        self.info = info
        if not self._hello.done():
            self._hello.set_result(info)

    def _got_delivery(self, delivery: Delivery) -> None:
        if delivery.sid == STREAM:
            if self._on_stream is not None:
                self._on_stream(delivery)
            return
        answer = self._waiting.get(int(delivery.subject.rpartition(b".")[2]))
        if answer is not None and not answer.done():
            answer.set_result(delivery)

    def _was_lost(self, reason: str) -> None:
        self._lost_reason = reason
        self._lost.set()
        if self._watch is not None:
            self._watch.cancel()
        if self._on_lost is not None:
            self._on_lost()
        futures: list[asyncio.Future[Any]] = [self._hello, *self._waiting.values()]
        for future in futures:
            if not future.done():
                future.set_exception(Unavailable(f"no connection to {self.url}: {reason}"))
                future.exception()  # seen: who waited for it may have been cancelled

    async def _watch_silence(self) -> None:
        clock = self._host.clock
        received, since = self._wire.received, clock.monotonic()
        while True:
            self._wire.send([b"PING\r\n"])
            await clock.sleep(self._settings.ping_s)
            now = clock.monotonic()
            if self._wire.received != received:
                received, since = self._wire.received, now
            elif now - since >= self._settings.silence_most_s:
                self._wire.abort(f"silent for {now - since:.1f} s")
                return


async def dial(settings: NatsSettings, host: Host) -> Link:
    """A link to a server that takes us, tried from a random one on; `Unavailable` without one."""
    reasons = []
    start = host.random.randrange(len(settings.servers))
    for url in settings.servers[start:] + settings.servers[:start]:
        address = _address(url)
        link = Link(settings, host, f"{address.hostname}:{address.port}")
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                await link.connect(address)
        except (OSError, TimeoutError, Unavailable) as error:
            link.close()
            reasons.append(f"{link.url}: {str(error) or 'no answer'}")
        except BaseException:
            link.close()
            raise
        else:
            return link
    raise Unavailable(f"no NATS server takes us ({'; '.join(reasons)})")


def _address(url: str) -> Address:
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    if parts.scheme != "nats" or not parts.hostname:
        raise Invalid(f"log.servers: {url!r} is not nats://HOST:PORT", field="log.servers")
    login = {}
    if parts.username and parts.password:
        login = {"user": unquote(parts.username), "pass": unquote(parts.password)}
    elif parts.username:
        login = {"auth_token": unquote(parts.username)}
    return Address(parts.hostname, parts.port or DEFAULT_PORT, login)
