"""The in-memory log: what its couriers can do to a request."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from headrace.log.memory import MemoryLogServer
from headrace.model.errors import Conflict, Unavailable

T = TypeVar("T")
PCHANNEL = "headrace-dml-0"


class LosingCourier:
    """Loses what it is told to lose, and keeps late requests until they are let go."""

    def __init__(self) -> None:
        self.mode = "direct"
        self.late: list[Callable[[], object]] = []
        self.pauses = 0

    async def carry(self, operation: str, pchannel: str, apply: Callable[[], T]) -> T:
        if self.mode == "lost":
            raise Unavailable("nothing was sent")
        if self.mode == "late":
            self.late.append(apply)
            raise Unavailable("no answer yet")
        answer = apply()
        if self.mode == "answer lost":
            raise Unavailable("the answer was lost")
        return answer

    async def pause(self) -> None:
        self.pauses += 1
        self.mode = "direct"


@pytest.fixture
def server() -> MemoryLogServer:
    server = MemoryLogServer()
    server.ensure(PCHANNEL)
    return server


async def test_a_lost_request_changes_nothing(server: MemoryLogServer) -> None:
    courier = LosingCourier()
    log = server.client(courier)
    courier.mode = "lost"
    with pytest.raises(Unavailable):
        await log.append(PCHANNEL, [b"a"], 0)
    assert server.messages(PCHANNEL) == []


async def test_an_append_whose_answer_was_lost_stands(server: MemoryLogServer) -> None:
    courier = LosingCourier()
    log = server.client(courier)
    courier.mode = "answer lost"
    with pytest.raises(Unavailable):
        await log.append(PCHANNEL, [b"a"], 0)
    assert [m.data for m in server.messages(PCHANNEL)] == [b"a"]


async def test_a_late_append_is_taken_while_its_id_is_still_next(server: MemoryLogServer) -> None:
    courier = LosingCourier()
    log = server.client(courier)
    courier.mode = "late"
    with pytest.raises(Unavailable):
        await log.append(PCHANNEL, [b"late"], 0)
    assert server.last(PCHANNEL) == 0
    courier.late[0]()
    assert [m.data for m in server.messages(PCHANNEL)] == [b"late"]


async def test_a_late_append_behind_another_is_refused(server: MemoryLogServer) -> None:
    courier = LosingCourier()
    log = server.client(courier)
    courier.mode = "late"
    with pytest.raises(Unavailable):
        await log.append(PCHANNEL, [b"late"], 0)
    await server.client().append(PCHANNEL, [b"first"], 0)
    with pytest.raises(Conflict):
        courier.late[0]()


async def test_what_was_sent_does_not_change_with_the_senders_buffer(
    server: MemoryLogServer,
) -> None:
    buffer = bytearray(b"sent")
    await server.client().append(PCHANNEL, [memoryview(buffer)], 0)
    buffer[:] = b"gone"
    assert server.messages(PCHANNEL)[0].data == b"sent"


async def test_a_reader_waits_out_what_is_unavailable(server: MemoryLogServer) -> None:
    courier = LosingCourier()
    reader = await server.client(courier).read(PCHANNEL, 1)
    server.append(PCHANNEL, b"a", 0)
    courier.mode = "lost"
    assert [m.id for m in await reader.fetch(10)] == [1]
    assert courier.pauses == 1


async def test_a_lost_fetch_is_fetched_again(server: MemoryLogServer) -> None:
    courier = LosingCourier()
    reader = await server.client(courier).read(PCHANNEL, 1)
    server.append(PCHANNEL, b"a", 0)
    courier.mode = "answer lost"
    assert [m.id for m in await reader.fetch(10)] == [1]


async def test_a_reader_of_an_absent_pchannel_waits_until_it_is_there() -> None:
    server = MemoryLogServer()
    reader = await server.client().read(PCHANNEL, 1)
    fetch = asyncio.create_task(reader.fetch(10))
    server.ensure(PCHANNEL)
    server.append(PCHANNEL, b"a", 0)
    assert [m.id for m in await fetch] == [1]


async def test_a_full_disk_refuses_appends_and_a_truncate_makes_room() -> None:
    server = MemoryLogServer(capacity_bytes=10)
    log = server.client()
    await log.ensure(PCHANNEL)
    await log.append(PCHANNEL, [b"x" * 6], 0)
    await log.append(PCHANNEL, [b"x" * 4], 1)
    assert await log.free_bytes() == 0
    with pytest.raises(Unavailable):
        await log.append(PCHANNEL, [b"x"], 2)
    await log.truncate(PCHANNEL, 2)
    assert await log.free_bytes() == 6
    assert await log.append(PCHANNEL, [b"x"], 2) == 3
