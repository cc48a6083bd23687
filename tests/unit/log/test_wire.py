"""The wire: what it parses from bytes that come in any pieces, and the order of what it writes."""

import asyncio
import random
from typing import Any

import pytest

from headrace.log.wire import CHUNK_BYTES, SCRATCH_BYTES, Delivery, Wire


class Socket(asyncio.Transport):
    """A transport that takes so many bytes and then pauses its protocol, as a full socket does."""

    def __init__(self, wire: Wire, room: int = 1 << 40) -> None:
        super().__init__()
        self.written = bytearray()
        self.writes: list[int] = []
        self.aborted = False
        self._wire = wire
        self._room = room

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self._room > 0, "written to while it was full"
        self.written += data
        self.writes.append(len(data))
        self._room -= len(data)
        if self._room <= 0:
            self._wire.pause_writing()

    def make_room(self, room: int) -> None:
        self._room = room
        self._wire.resume_writing()

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        if not self.aborted:
            self.aborted = True
            self._wire.connection_lost(None)


class Ends:
    """A wire and what came out of it."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.infos: list[dict[str, Any]] = []
        self.deliveries: list[Delivery] = []
        self.lost: list[str] = []
        self.wire = Wire(self.infos.append, self.deliveries.append, self.lost.append)
        self.socket = Socket(self.wire, room)
        self.wire.connection_made(self.socket)

    def receive(self, data: bytes, most: int = 1 << 40) -> None:
        """Let the kernel hand over `data`, at most `most` bytes at a time."""
        place = 0
        while place < len(data) and not self.socket.aborted:
            buffer = self.wire.get_buffer(-1)
            piece = data[place : place + min(len(buffer), most)]
            assert piece, "the wire has no room for what comes next"
            buffer[: len(piece)] = piece
            self.wire.buffer_updated(len(piece))
            place += len(piece)


def headed(payload: bytes, subject: str = "s", reply: str = "r.1") -> bytes:
    head = b"NATS/1.0\r\nNats-Sequence: 7\r\n\r\n"
    return (
        f"HMSG {subject} 2 {reply} {len(head)} {len(head) + len(payload)}\r\n".encode()
        + head
        + payload
        + b"\r\n"
    )


def test_an_info_is_handed_over() -> None:
    ends = Ends()
    ends.receive(b'INFO {"server_id":"A","max_payload":8388608}\r\n')
    assert ends.infos == [{"server_id": "A", "max_payload": 8388608}]


def test_a_ping_is_answered() -> None:
    ends = Ends()
    ends.receive(b"PING\r\n")
    assert ends.socket.written == b"PONG\r\n"


def test_messages_with_and_without_head_and_reply() -> None:
    ends = Ends()
    ends.receive(b"MSG a.b 1 3\r\nabc\r\nMSG a.b 1 re.ply 0\r\n\r\n" + headed(b"xyz"))
    first, second, third = ends.deliveries
    assert (first.subject, first.sid, first.reply, bytes(first.payload)) == (
        b"a.b",
        b"1",
        b"",
        b"abc",
    )
    assert (second.reply, bytes(second.payload), second.status) == (b"re.ply", b"", 0)
    assert (third.header("nats-sequence"), bytes(third.payload)) == ("7", b"xyz")
    assert third.header("absent") == ""


def test_a_status_is_told_from_a_message() -> None:
    ends = Ends()
    head = b"NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 1\r\n\r\n"
    ends.receive(f"HMSG i.1 2 {len(head)} {len(head)}\r\n".encode() + head + b"\r\n")
    [status] = ends.deliveries
    assert (status.status, status.status_text) == (409, "Message Size Exceeds MaxBytes")


@pytest.mark.parametrize("most", [1, 2, 3, 7, 1000, 65_536, 1 << 30])
def test_messages_come_whole_however_their_bytes_come(most: int) -> None:
    chance = random.Random(most)
    sizes = [0, 1, 63, 64, 5_000, 10, 0, 2]
    if most > 100:
        sizes += [SCRATCH_BYTES - 40, SCRATCH_BYTES, SCRATCH_BYTES + 1, 1_000_000, 3, 777_777]
    payloads = [chance.randbytes(size) for size in sizes]
    ends = Ends()
    stream = b"INFO {}\r\n" + b"".join(map(headed, payloads)) + b"PING\r\n"
    ends.receive(stream, most)
    assert [bytes(delivery.payload) for delivery in ends.deliveries] == payloads
    assert all(delivery.reply == b"r.1" for delivery in ends.deliveries)
    assert ends.socket.written == b"PONG\r\n"


def test_the_payload_of_a_large_message_is_aligned_for_arrow() -> None:
    import numpy as np

    ends = Ends()
    for subject in ("a", "ab", "abc"):
        ends.receive(headed(bytes(SCRATCH_BYTES * 2), subject=subject))
    for delivery in ends.deliveries:
        assert np.frombuffer(delivery.payload, np.uint8).ctypes.data % 64 == 0
        assert memoryview(delivery.payload).readonly


def test_small_parts_are_joined_and_large_ones_are_not_copied() -> None:
    ends = Ends()
    large = bytes(CHUNK_BYTES + 5)
    ends.wire.send([b"a", b"bc", large, b"d", memoryview(b"ef"), b""])
    assert ends.socket.writes == [3, CHUNK_BYTES, 5, 3]
    assert ends.socket.written == b"abc" + large + b"def"


def test_what_a_full_socket_does_not_take_waits_in_order() -> None:
    ends = Ends(room=1)
    first, second = bytes([1]) * (3 * CHUNK_BYTES), bytes([2]) * CHUNK_BYTES
    ends.wire.send([first])
    ends.wire.send([second])
    ends.wire.send([b"PING\r\n"])
    assert ends.socket.written == first[:CHUNK_BYTES]
    ends.socket.make_room(CHUNK_BYTES + 1)
    assert ends.socket.written == first
    ends.socket.make_room(1 << 40)
    assert ends.socket.written == first + second + b"PING\r\n"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"-ERR 'Authorization Violation'\r\n", "Authorization Violation"),
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400"),
        (b"x" * SCRATCH_BYTES, "too long"),
    ],
)
def test_what_is_not_nats_ends_the_connection(sent: bytes, said: str) -> None:
    ends = Ends()
    ends.receive(sent)
    assert ends.socket.aborted
    assert said in ends.lost[0]


def test_the_first_reason_for_an_end_is_told() -> None:
    ends = Ends()
    ends.wire.abort("silent for 6.0 s")
    ends.wire.abort("closed")
    assert ends.lost == ["silent for 6.0 s"]
