"""A way to an S3 server on which things go wrong: a small HTTP proxy.

**Owns** the wire between a client and a real server: it passes requests on as they are (they are
signed), or refuses, answers, delays, changes or swallows them. **Does not own** the server
(`support.servers.s3`).
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Trouble:
    """What happens to a request. Nothing set: it is passed on."""

    refused: bool = False  # the connection is reset
    status: int = 0  # answered by us with this status ...
    code: str = "InternalError"  # ... and this code
    swallowed: bool = False  # read, and never answered
    unanswered: bool = False  # carried out; the connection is reset instead of the answer
    flipped: bool = False  # one bit of the body arrives otherwise
    pause_s: float = 0.0  # before it is passed on


NONE = Trouble()
Choose = Callable[[str, str], Trouble]  # (method, path and query) -> what happens


class TroubledS3:
    """The proxy, on a loop of its own; `choose` may be set from any thread at any time."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self.choose: Choose = lambda method, path: NONE
        self.calls: list[tuple[str, str]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="s3-trouble")
        self._server: asyncio.Server | None = None
        self.endpoint = ""

    def start(self) -> "TroubledS3":
        """Listen on a free port of loopback."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def stop(self) -> None:
        """Close what is open."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextlib.contextmanager
    def trouble(self, trouble: Trouble, method: str = "", within: str = "") -> Iterator[None]:
        """So it goes, inside the block, with requests of this method and with this in the path."""

        def choose(one: str, path: str) -> Trouble:
            return trouble if one.startswith(method) and within in path else NONE

        before, self.choose = self.choose, choose
        try:
            yield
        finally:
            self.choose = before

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._request(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, path, _ = first.decode().split(" ")
        self.calls.append((method, path))
        trouble = self.choose(method, path)
        if trouble.refused:
            writer.transport.abort()
            return
        body = await reader.readexactly(_length(head))
        await asyncio.sleep(trouble.pause_s)
        if trouble.swallowed:
            await reader.read()  # until the client gives up
        elif trouble.status:
            writer.write(_answer(trouble))
            await writer.drain()
        else:
            if trouble.flipped and body:
                body = body[:-1] + bytes([body[-1] ^ 1])
            answer = await self._passed_on(first + b"\r\nConnection: close\r\n" + rest + body)
            if trouble.unanswered:
                writer.transport.abort()
            else:
                writer.write(answer)
                await writer.drain()

    async def _passed_on(self, request: bytes) -> bytes:
        there, back = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            back.write(request)
            await back.drain()
            answer = b""
            while chunk := await there.read(_CHUNK):
                answer += chunk
            return answer
        finally:
            back.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _answer(trouble: Trouble) -> bytes:
    body = f"<Error><Code>{trouble.code}</Code><Message>made up</Message></Error>".encode()
    head = f"HTTP/1.1 {trouble.status} X\r\nContent-Type: application/xml\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
