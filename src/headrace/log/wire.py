"""NATS's client protocol on one connection: bytes in, deliveries out, messages in parts to bytes.

Why not the client library: it copies a message about five times on its way in and joins its parts
on the way out. Here the kernel copies a large message straight into the buffer that its reader
keeps (64-byte aligned at the payload, so that Arrow reads columns in place; from Arrow's pool,
since fresh pages cost more than the copy), and parts go to the kernel as they are. A wire that is
lost stays lost. Source: the NATS client protocol (INFO, CONNECT, HPUB, SUB, MSG, HMSG, PING, PONG,
-ERR).
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from headrace.model.entry import Body

SCRATCH_BYTES = 128 * 1024  # small messages are parsed from here; an INFO must fit
CHUNK_BYTES = 256 * 1024  # of a large part, handed to the socket at a time
JOINED_BYTES = 16 * 1024  # parts smaller than this are joined: a copy is cheaper than a send
ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that the server sent to a subscription."""

    subject: bytes
    sid: bytes
    reply: bytes
    head: bytes = field(repr=False)  # `NATS/1.0 [status]\r\nName: value\r\n...`, empty without
    payload: Body = field(repr=False)

    @property
    def status(self) -> int:
        """The code of a status message (404, 408, 409, 503...), 0 of an ordinary message."""
        code = self.head[9:12]
        return int(code) if code.isdigit() else 0

    @property
    def status_text(self) -> str:
        return self.head[13:].split(b"\r\n", 1)[0].decode(errors="replace")

    def header(self, name: str) -> str:
        """The value of a header, empty when it is absent."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.decode().lower() == name.lower():
                return value.strip().decode()
        return ""


class _Incoming:
    """A large message that is being received: its buffer, and how much of it is there."""

    __slots__ = ("filled", "head_bytes", "pad", "subject_sid_reply", "total_bytes", "view")

    def __init__(
        self, subject_sid_reply: tuple[bytes, bytes, bytes], head_bytes: int, total_bytes: int
    ) -> None:
        self.subject_sid_reply = subject_sid_reply
        self.head_bytes = head_bytes
        self.total_bytes = total_bytes
        self.pad = -head_bytes % ALIGNMENT
        size = self.pad + total_bytes + 2  # with the line's end that follows the payload
        self.view = memoryview(pa.allocate_buffer(size)).cast("B")
        self.filled = self.pad

    @property
    def missing(self) -> int:
        return len(self.view) - self.filled

    def take(self, data: memoryview) -> None:
        self.view[self.filled : self.filled + len(data)] = data
        self.filled += len(data)

    def delivery(self) -> Delivery:
        start = self.pad + self.head_bytes
        return Delivery(
            *self.subject_sid_reply,
            bytes(self.view[self.pad : start]),
            self.view[start : self.pad + self.total_bytes].toreadonly(),
        )


class Wire(asyncio.BufferedProtocol):
    """One connection. Callbacks run in the loop, in the order in which the server sent things."""

    def __init__(
        self,
        on_info: Callable[[dict[str, Any]], None],
        on_delivery: Callable[[Delivery], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._on_info = on_info
        self._on_delivery = on_delivery
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._begin = 0  # what is in the scratch and not parsed: [begin, end)
        self._end = 0
        self._incoming: _Incoming | None = None
        self._outbox: deque[memoryview] = deque()
        self._full = False  # the socket takes no more just now
        self._reason = ""
        self.received = 0  # reads so far: a sign of life

    def send(self, parts: Iterable[Body]) -> None:
        """Write the parts one behind the other, after all that was sent before; never waits.

        The parts must not change: large ones are read when the socket takes them.
        """
        small = bytearray()
        for part in parts:
            if len(part) < JOINED_BYTES:
                small += part
                continue
            if small:
                self._outbox.append(memoryview(bytes(small)))
                small.clear()
            view = memoryview(part).cast("B")
            self._outbox.extend(
                view[start : start + CHUNK_BYTES] for start in range(0, len(view), CHUNK_BYTES)
            )
        if small:
            self._outbox.append(memoryview(bytes(small)))
        self._flush()

    def abort(self, reason: str) -> None:
        """Drop the connection at once; `on_lost(reason)` follows."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # Any rest of a chunk pauses us: so at most one chunk is copied into the transport.
        transport.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: Exception | None) -> None:
        self._outbox.clear()
        self._incoming = None
        self._on_lost(self._reason or (str(exc) if exc else "the server closed the connection"))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        """The rest of a large message, or the scratch."""
        if self._incoming is not None:
            return self._incoming.view[self._incoming.filled :]
        return self._scratch[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        self.received += 1
        if self._incoming is None:
            self._end += nbytes
            self._parse()
            return
        self._incoming.filled += nbytes
        if not self._incoming.missing:
            incoming, self._incoming = self._incoming, None
            self._on_delivery(incoming.delivery())

    def _flush(self) -> None:
        assert self._transport is not None
        while self._outbox and not self._full and not self._transport.is_closing():
            self._transport.write(self._outbox.popleft())

    def _parse(self) -> None:
        buffer = self._scratch.obj
        assert isinstance(buffer, bytearray)
        while self._incoming is None:
            line_end = buffer.find(b"\r\n", self._begin, self._end)
            if line_end < 0:
                break
            line = bytes(self._scratch[self._begin : line_end])
            message = line.startswith((b"HMSG ", b"MSG "))
            if not message:
                self._begin = line_end + 2
                self._control(line)
            elif not self._message(line, line_end + 2):
                break
        self._compact()

    def _compact(self) -> None:
        rest = self._end - self._begin
        if self._begin:
            # Both ends may overlap, so the rest goes through a copy; it is one line or less.
            self._scratch[:rest] = bytes(self._scratch[self._begin : self._end])
            self._begin, self._end = 0, rest
        if rest == len(self._scratch):
            self.abort("the server sent a line that is too long")
            self._begin = self._end = 0

    def _message(self, line: bytes, body: int) -> bool:
        """Deliver a message that is wholly in the scratch, or begin to receive it elsewhere."""
        fields = line.split(b" ")
        headed = fields[0] == b"HMSG"
        total_bytes = int(fields[-1])
        head_bytes = int(fields[-2]) if headed else 0
        reply = fields[3] if len(fields) == (6 if headed else 5) else b""
        end = body + total_bytes
        if end + 2 <= self._end:
            head = bytes(self._scratch[body : body + head_bytes])
            payload = bytes(self._scratch[body + head_bytes : end])
            self._begin = end + 2
            self._on_delivery(Delivery(fields[1], fields[2], reply, head, payload))
            return True
        self._incoming = _Incoming((fields[1], fields[2], reply), head_bytes, total_bytes)
        self._incoming.take(self._scratch[body : self._end])
        self._begin = self._end
        return False

    def _control(self, line: bytes) -> None:
        match line[:4].upper():
            case b"PING":
                self.send([b"PONG\r\n"])
            case b"PONG":
                pass  # that something came is all that is asked
            case b"INFO":
                self._on_info(json.loads(line[5:]))
            case b"-ERR":
                self.abort(f"the server said {line[5:].decode(errors='replace')}")
            case _:
                if line != b"+OK":
                    self.abort(f"the server sent {line[:40]!r}")
