"""What every adapter of the log must do, wherever messages are stored."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from support.servers.nats import open_log

from headrace.app.servers.nats import NatsServer
from headrace.log import monitor
from headrace.log.api import Log, LogReader, Message
from headrace.log.memory import MAX_MESSAGE_BYTES, MemoryLogServer
from headrace.model.errors import Conflict, Corrupt, Invalid, Unavailable

PCHANNEL = "headrace-dml-0"
OTHER = "headrace-dml-1"
CREDIT = 1 << 20


class MemoryCluster:
    """The in-memory log; its server is durable by definition, so a kill takes nothing."""

    def __init__(self) -> None:
        self._server = MemoryLogServer()

    async def client(self) -> Log:
        return self._server.client()

    async def kill_server(self) -> None:
        """Nothing that was answered is anywhere but in the server."""

    async def syncs_before_it_answers(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing to give back."""


class NatsCluster:
    """One real server on this machine; a kill is a SIGKILL and a new start."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    async def client(self) -> Log:
        return await open_log(self._server)

    async def kill_server(self) -> None:
        await self._server.kill()
        await self._server.start()

    async def syncs_before_it_answers(self) -> bool:
        return (await monitor.report(self._server.monitor_url)).sync_always

    async def close(self) -> None:
        await self._server.stop()


Cluster: TypeAlias = MemoryCluster | NatsCluster


@pytest.fixture(params=["memory", "nats"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster: Cluster = MemoryCluster()
    if request.param == "nats":
        server = NatsServer(tmp_path / "nats")
        await server.start()
        cluster = NatsCluster(server)
    yield cluster
    await cluster.close()


@pytest.fixture
async def log(cluster: Cluster) -> AsyncIterator[Log]:
    client = await cluster.client()
    await client.ensure(PCHANNEL)
    yield client
    await client.close()


async def fill(log: Log, count: int, size: int = 10) -> list[Message]:
    """Append numbered messages; all of them as they must be read."""
    last = await log.last(PCHANNEL)
    messages = []
    for number in range(last + 1, last + 1 + count):
        data = f"{number:06d}".encode().ljust(size, b".")
        assert await log.append(PCHANNEL, [data], number - 1) == number
        messages.append(Message(number, data))
    return messages


async def take(reader: LogReader, count: int, credit: int = CREDIT) -> list[Message]:
    """Fetch until `count` messages are there, which must come without one too many."""
    messages: list[Message] = []
    while len(messages) < count:
        messages += await asyncio.wait_for(reader.fetch(credit), 30)
    assert len(messages) == count
    return plain(messages)


async def until_reached(log: Log) -> None:
    """Return when the log answers again."""
    async with asyncio.timeout(30):
        while True:
            try:
                await log.last(PCHANNEL)
            except Unavailable:
                continue
            return


def plain(messages: Sequence[Message]) -> list[Message]:
    return [Message(m.id, bytes(m.data)) for m in messages]


async def test_ensure_is_idempotent_and_keeps_what_is_there(log: Log) -> None:
    await fill(log, 2)
    await log.ensure(PCHANNEL)
    assert await log.last(PCHANNEL) == 2


async def test_a_new_pchannel_has_no_last_message_and_begins_at_one(log: Log) -> None:
    assert await log.last(PCHANNEL) == 0
    assert await log.first(PCHANNEL) == 1
    assert await log.get(PCHANNEL, 1) is None


async def test_ids_begin_at_one_and_rise_by_one(log: Log) -> None:
    assert [await log.append(PCHANNEL, [b"x"], last) for last in range(4)] == [1, 2, 3, 4]


async def test_messages_are_read_in_the_order_of_their_ids(log: Log) -> None:
    written = await fill(log, 50)
    reader = await log.read(PCHANNEL, 1)
    assert await take(reader, 50) == written
    await reader.close()


async def test_a_reader_begins_with_the_message_it_names(log: Log) -> None:
    written = await fill(log, 5)
    reader = await log.read(PCHANNEL, 3)
    assert await take(reader, 3) == written[2:]
    await reader.close()


async def test_pchannels_do_not_see_each_other(log: Log) -> None:
    await log.ensure(OTHER)
    await log.append(PCHANNEL, [b"here"], 0)
    await log.append(OTHER, [b"there"], 0)
    reader = await log.read(OTHER, 1)
    assert await take(reader, 1) == [Message(1, b"there")]
    await reader.close()


async def test_parts_are_one_message(log: Log) -> None:
    parts = [b"a" * 3, memoryview(b"xbbx")[1:3], b"", memoryview(bytearray(b"c" * 100_000))]
    await log.append(PCHANNEL, parts, 0)
    message = await log.get(PCHANNEL, 1)
    assert message is not None
    assert bytes(message.data) == b"aaabb" + b"c" * 100_000


async def test_an_append_behind_another_than_the_last_is_a_conflict(log: Log) -> None:
    await fill(log, 2)
    for expected in (0, 1, 3, 17):
        with pytest.raises(Conflict):
            await log.append(PCHANNEL, [b"late"], expected)
    assert await log.last(PCHANNEL) == 2


async def test_of_two_appenders_that_name_one_id_exactly_one_wins(cluster: Cluster) -> None:
    one, two = await cluster.client(), await cluster.client()
    await one.ensure(PCHANNEL)
    for last in range(20):
        results = await asyncio.gather(
            one.append(PCHANNEL, [b"one"], last),
            two.append(PCHANNEL, [b"two"], last),
            return_exceptions=True,
        )
        winners = [i for i, result in enumerate(results) if result == last + 1]
        assert len(winners) == 1
        assert isinstance(results[1 - winners[0]], Conflict)
        message = await one.get(PCHANNEL, last + 1)
        assert message is not None and bytes(message.data) == (b"one", b"two")[winners[0]]
    await one.close()
    await two.close()


async def test_an_append_to_a_pchannel_that_is_not_there_is_unavailable(log: Log) -> None:
    with pytest.raises(Unavailable):
        await log.append(OTHER, [b"x"], 0)
    with pytest.raises(Unavailable):
        await log.last(OTHER)


async def test_a_message_of_eight_million_bytes_fits_and_a_larger_one_is_invalid(log: Log) -> None:
    half = bytes(MAX_MESSAGE_BYTES // 2)
    assert await log.append(PCHANNEL, [half, half], 0) == 1
    with pytest.raises(Invalid):
        await log.append(PCHANNEL, [half, half, b"x"], 1)
    assert await log.append(PCHANNEL, [b"goes on"], 1) == 2


async def test_a_fetch_waits_for_the_first_message(log: Log) -> None:
    reader = await log.read(PCHANNEL, 1)
    fetch = asyncio.create_task(take(reader, 1))
    await log.last(PCHANNEL)
    assert not fetch.done()
    await log.append(PCHANNEL, [b"now"], 0)
    assert await fetch == [Message(1, b"now")]
    await reader.close()


async def test_a_reader_follows_appends(log: Log) -> None:
    reader = await log.read(PCHANNEL, 1)
    for _ in range(10):
        [written] = await fill(log, 1)
        assert await take(reader, 1) == [written]
    await reader.close()


async def test_a_cancelled_fetch_takes_nothing_along(log: Log) -> None:
    reader = await log.read(PCHANNEL, 1)
    fetch = asyncio.create_task(reader.fetch(CREDIT))
    await log.last(PCHANNEL)
    fetch.cancel()
    await asyncio.gather(fetch, return_exceptions=True)
    written = await fill(log, 3)
    assert await take(reader, 3) == written
    await reader.close()


async def test_a_fetch_stays_within_its_credit(log: Log) -> None:
    written = await fill(log, 20, size=1_000)
    reader = await log.read(PCHANNEL, 1)
    read: list[Message] = []
    while len(read) < 20:
        batch = await asyncio.wait_for(reader.fetch(3_500), 30)
        assert 1 <= len(batch) <= 3
        read += plain(batch)
    assert read == written
    await reader.close()


async def test_a_fetch_brings_one_message_that_is_larger_than_its_credit(log: Log) -> None:
    written = await fill(log, 3, size=2_000_000)
    reader = await log.read(PCHANNEL, 1)
    for message in written:
        assert plain(await asyncio.wait_for(reader.fetch(1), 30)) == [message]
    await reader.close()


async def test_many_readers_of_one_pchannel_each_see_everything(log: Log) -> None:
    written = await fill(log, 30)
    readers = [await log.read(PCHANNEL, 1) for _ in range(5)]
    for read in await asyncio.gather(*(take(reader, 30) for reader in readers)):
        assert read == written
    for reader in readers:
        await reader.close()


async def test_truncate_drops_what_is_below_and_nothing_else(log: Log) -> None:
    written = await fill(log, 5)
    await log.truncate(PCHANNEL, 3)
    await log.truncate(PCHANNEL, 2)
    assert (await log.first(PCHANNEL), await log.last(PCHANNEL)) == (3, 5)
    assert await log.get(PCHANNEL, 2) is None
    reader = await log.read(PCHANNEL, 3)
    assert await take(reader, 3) == written[2:]
    await reader.close()


async def test_truncate_never_drops_the_last_message(log: Log) -> None:
    written = await fill(log, 3)
    await log.truncate(PCHANNEL, 1_000)
    assert (await log.first(PCHANNEL), await log.last(PCHANNEL)) == (3, 3)
    message = await log.get(PCHANNEL, 3)
    assert message is not None and plain([message]) == written[2:]
    assert await log.append(PCHANNEL, [b"goes on"], 3) == 4


async def test_truncate_of_an_empty_pchannel_does_nothing(log: Log) -> None:
    await log.truncate(PCHANNEL, 10)
    assert (await log.first(PCHANNEL), await log.last(PCHANNEL)) == (1, 0)
    assert await log.append(PCHANNEL, [b"first"], 0) == 1


async def test_a_seek_below_the_first_message_is_corrupt_and_names_the_pchannel(log: Log) -> None:
    await fill(log, 5)
    await log.truncate(PCHANNEL, 4)
    with pytest.raises(Corrupt) as error:
        reader = await log.read(PCHANNEL, 3)
        await asyncio.wait_for(reader.fetch(CREDIT), 30)
    assert error.value.channel == PCHANNEL


async def test_a_reader_that_a_truncate_overtakes_is_corrupt(log: Log) -> None:
    await fill(log, 5)
    reader = await log.read(PCHANNEL, 1)
    assert len(await asyncio.wait_for(reader.fetch(1), 30)) == 1
    await log.truncate(PCHANNEL, 5)
    with pytest.raises(Corrupt):
        for _ in range(4):
            await asyncio.wait_for(reader.fetch(1), 30)
    await reader.close()


async def test_ids_go_on_after_a_truncate_and_a_kill(cluster: Cluster, log: Log) -> None:
    await fill(log, 5)
    await log.truncate(PCHANNEL, 5)
    await cluster.kill_server()
    other = await cluster.client()
    assert (await other.first(PCHANNEL), await other.last(PCHANNEL)) == (5, 5)
    assert await other.append(PCHANNEL, [b"x"], 5) == 6
    await other.close()


async def test_what_is_answered_is_synced(cluster: Cluster) -> None:
    assert await cluster.syncs_before_it_answers()


async def test_a_reader_goes_on_across_kills(cluster: Cluster, log: Log) -> None:
    reader = await log.read(PCHANNEL, 1)
    for _ in range(3):
        written = await fill(log, 5)
        assert await take(reader, 5) == written
        await cluster.kill_server()
        await until_reached(log)
    await reader.close()


async def test_what_was_answered_survives_a_kill(cluster: Cluster, log: Log) -> None:
    written = []
    for _ in range(3):
        written += await fill(log, 20)
        await cluster.kill_server()
        other = await cluster.client()
        assert await other.last(PCHANNEL) == len(written)
        await other.close()
        await until_reached(log)
    reader = await log.read(PCHANNEL, 1)
    assert await take(reader, 60) == written
    await reader.close()


async def test_the_free_bytes_are_unknown_or_a_number(log: Log) -> None:
    free = await log.free_bytes()
    assert free is None or free > 0
