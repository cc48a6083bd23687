"""The log on NATS JetStream: one stream a pchannel, fenced by the id of its last message.

The header `Nats-Expected-Last-Sequence` decides which append is let in. A server that syncs lazily
answers appends that a crash takes back; only its monitoring port shows it, so each time a
connection is made that port is looked at, unless an operator vouches for the server.
"""

import asyncio
import shutil
from collections.abc import Sequence

from headrace.log import jetstream, monitor
from headrace.log.api import LogReader, Message
from headrace.log.link import Link, dial
from headrace.log.nats_reader import NatsReader
from headrace.log.settings import NatsSettings
from headrace.model.channel import PChannel
from headrace.model.entry import Body
from headrace.model.errors import Corrupt, Invalid, Unavailable
from headrace.model.ids import MessageId
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses
from headrace.runtime.telemetry import Telemetry

MAX_MESSAGE_BYTES = 8_000_000
HEAD_MOST_BYTES = 1_024  # our header, which counts as payload at the server
PAUSES = Pauses(first_s=0.02, most_s=1.0)


class NatsLog:
    """See `headrace.log.api.Log`. Made by `NatsLog.open`."""

    def __init__(self, settings: NatsSettings, host: Host, telemetry: Telemetry) -> None:
        self._settings = settings
        self._host = host
        self._telemetry = telemetry
        self._link: Link | None = None
        self._linked = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._append_seconds = telemetry.histogram(
            "log_append_seconds", "Time until an append was answered as synced"
        )
        self._appended_bytes = telemetry.counter(
            "log_appended_bytes", "Bytes of messages appended and answered"
        )
        self._losses = telemetry.counter("log_losses", "Connections to the log that were lost")

    @classmethod
    async def open(cls, settings: NatsSettings, host: Host, telemetry: Telemetry) -> "NatsLog":
        """Connect and look at the server. `Unavailable`: not reached (ask again). `Invalid`: it may
        lose what it answers, or takes too small messages."""
        log = cls(settings, host, telemetry)
        log._use(await log._dial())
        log._keeper = asyncio.create_task(log._keep(), name="nats:keep")
        return log

    async def ensure(self, pchannel: PChannel) -> None:
        """`Invalid` when a stream of that name has limits."""
        link = await self._connected()
        await jetstream.create_stream(
            link, pchannel, self._settings.replicas, timeout_s=self._settings.answer_timeout_s
        )

    async def append(
        self, pchannel: PChannel, parts: Sequence[Body], expected_last: MessageId
    ) -> MessageId:
        size = sum(map(len, parts))
        if size > MAX_MESSAGE_BYTES:
            raise Invalid(
                f"message of {size} bytes; the log takes {MAX_MESSAGE_BYTES}", field="message"
            )
        link = await self._connected()
        began = self._host.clock.monotonic()
        message_id = await jetstream.append(
            link, pchannel, parts, expected_last, timeout_s=self._settings.append_timeout_s
        )
        if message_id != expected_last + 1:
            raise Corrupt(
                f"{pchannel}: the server put a message behind {expected_last} at {message_id}",
                channel=pchannel,
            )
        self._append_seconds.observe(self._host.clock.monotonic() - began)
        self._appended_bytes.inc(size)
        return message_id

    async def last(self, pchannel: PChannel) -> MessageId:
        """At the stream's leader."""
        return (await self._state(pchannel)).last

    async def first(self, pchannel: PChannel) -> MessageId:
        """At the stream's leader."""
        return (await self._state(pchannel)).first

    async def get(self, pchannel: PChannel, message_id: MessageId) -> Message | None:
        """Any replica answers."""
        link = await self._connected()
        data = await jetstream.get(
            link, pchannel, message_id, timeout_s=self._settings.answer_timeout_s
        )
        return None if data is None else Message(message_id, data)

    async def read(self, pchannel: PChannel, start: MessageId) -> LogReader:
        return NatsReader(self._settings, self._host, self._telemetry, pchannel, start)

    async def truncate(self, pchannel: PChannel, below: MessageId) -> None:
        state = await self._state(pchannel)
        below = min(below, state.last)
        if below > state.first:
            await jetstream.purge(
                await self._connected(),
                pchannel,
                below,
                timeout_s=self._settings.answer_timeout_s,
            )

    async def free_bytes(self) -> int | None:
        """The least of the disk's room and what a server lets itself use."""
        known = []
        if self._settings.store_dir:
            usage = await self._host.offload.run(
                lambda: shutil.disk_usage(self._settings.store_dir)
            )
            known.append(usage.free)
        for report in (await self._reports()).values():
            if report.store_most_bytes > 0:
                known.append(max(0, report.store_most_bytes - report.store_bytes))
        return min(known, default=None)

    async def close(self) -> None:
        """Readers are closed by those who opened them."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._link is not None:
            self._link.close()

    async def _state(self, pchannel: PChannel) -> jetstream.StreamState:
        link = await self._connected()
        return await jetstream.stream_state(
            link, pchannel, timeout_s=self._settings.answer_timeout_s
        )

    async def _connected(self) -> Link:
        """The link; waits a moment while it is being remade, then `Unavailable`."""
        try:
            async with asyncio.timeout(self._settings.connected_wait_s):
                await self._linked.wait()
        except TimeoutError as error:
            if self._keeper is not None and self._keeper.done():
                self._keeper.result()  # nobody makes a connection any more: raises why
            raise Unavailable("no connection to the log") from error
        assert self._link is not None
        return self._link

    def _use(self, link: Link) -> None:
        self._link = link
        self._linked.set()

    async def _keep(self) -> None:
        """Wait until the link is lost and make another, for ever."""
        assert self._link is not None
        log = self._telemetry.log
        while True:
            reason = await self._link.lost()
            self._linked.clear()
            self._losses.inc()
            log.warning("lost the log", server=self._link.url, reason=reason)
            backoff = Backoff(self._host, PAUSES)
            distrusted = ""
            while not self._linked.is_set():
                try:
                    self._use(await self._dial())
                except (Unavailable, Invalid) as error:
                    if isinstance(error, Invalid) and error.message != distrusted:
                        distrusted = error.message
                        log.error("the log came back another", reason=error.message)
                    await self._host.clock.sleep(backoff.next_s())
            log.info("found the log", server=self._link.url)

    async def _dial(self) -> Link:
        """A link to a server that may be trusted with messages."""
        link = await dial(self._settings, self._host)
        try:
            self._check_hello(link)
            await self._check_sync(link)
        except BaseException:
            link.close()
            raise
        return link

    def _check_hello(self, link: Link) -> None:
        if not link.info.get("jetstream"):
            raise Invalid(f"{link.url} has no JetStream", field="log.servers")
        if not link.info.get("headers"):
            raise Invalid(f"{link.url} takes no headers", field="log.servers")
        most = int(link.info.get("max_payload", 0))
        if most < MAX_MESSAGE_BYTES + HEAD_MOST_BYTES:
            raise Invalid(
                f"{link.url} takes messages of {most} bytes: set max_payload: 8MB in its "
                "configuration",
                field="log.servers",
            )

    async def _check_sync(self, link: Link) -> None:
        if self._settings.sync_confirmed:
            return
        if not self._monitors():
            raise Invalid(
                "whether the log syncs what it answers can only be seen at its monitoring port: "
                "set log.monitor_url, or log.sync_confirmed if sync_interval is always",
                field="log.monitor_url",
            )
        reports = await self._reports()
        if not reports:
            raise Unavailable(f"no answer from {self._settings.monitor_url}")
        for url, report in reports.items():
            if not report.sync_always:
                raise Invalid(
                    f"the NATS server at {url} answers appends that it has not synced: set "
                    "sync_interval: always in its jetstream block",
                    field="log.sync_interval",
                )
        ids = {report.server_id for report in reports.values()}
        if "cluster" not in link.info and link.info.get("server_id") not in ids:
            raise Invalid(
                f"{self._settings.monitor_url} is not the monitoring port of {link.url}",
                field="log.monitor_url",
            )

    async def _reports(self) -> dict[str, monitor.ServerReport]:
        """What the servers say at their monitoring ports; those that are down say nothing."""
        reports = {}
        for url in self._monitors():
            try:
                reports[url] = await monitor.report(url)
            except Unavailable as error:
                self._telemetry.log.debug("a monitoring port is silent", reason=error.message)
        return reports

    def _monitors(self) -> list[str]:
        return [url.strip() for url in self._settings.monitor_url.split(",") if url.strip()]
