"""The reader over consumers that end: by a kill, by rest, by a gap, by a lost end."""

import asyncio

import pytest
from support.servers.nats import consumers, open_log, settle
from support.servers.nats import nats as nats

from headrace.app.servers.nats import NatsServer
from headrace.log import jetstream
from headrace.log.api import Message
from headrace.log.link import dial
from headrace.log.settings import NatsSettings
from headrace.model.errors import Corrupt
from headrace.runtime.host import real_host

PCHANNEL = "headrace-dml-0"


async def test_nothing_is_repeated_or_missed_when_the_server_is_killed_again_and_again(
    nats: NatsServer,
) -> None:
    log = await open_log(nats)
    await log.ensure(PCHANNEL)
    reader = await log.read(PCHANNEL, 1)
    read: list[Message] = []
    count, kills = 150, 3

    async def read_all() -> None:
        while len(read) < count:
            read.extend(await reader.fetch(100_000))

    reading = asyncio.create_task(read_all())
    for number in range(count):
        appending = asyncio.create_task(settle(log, PCHANNEL, b"%6d" % number * 5_000, number))
        if number % (count // kills) == 10:
            await nats.kill()
            await nats.start()
        assert await appending == number + 1
    await asyncio.wait_for(reading, 30)
    assert [message.id for message in read] == list(range(1, count + 1))
    assert [bytes(m.data[:6]) for m in read] == [b"%6d" % n for n in range(count)]
    await reader.close()
    await log.close()


async def test_a_reader_that_rests_longer_than_its_consumer_lives_goes_on(
    nats: NatsServer,
) -> None:
    log = await open_log(nats)
    await log.ensure(PCHANNEL)
    for number in range(3):
        await log.append(PCHANNEL, [b"%d" % number], number)
    reader = await log.read(PCHANNEL, 1)
    assert [m.id for m in await reader.fetch(1)] == [1]
    link = await dial(NatsSettings(servers=(nats.url,)), real_host())
    (consumer,) = await consumers(nats, PCHANNEL)
    await jetstream.delete_consumer(link, PCHANNEL, consumer["name"], timeout_s=5.0)
    assert [m.id for m in await asyncio.wait_for(reader.fetch(1), 10)] == [2]
    link.close()
    await reader.close()
    await log.close()


async def test_a_log_that_has_lost_its_end_is_corrupt(nats: NatsServer) -> None:
    log = await open_log(nats, lost_end_s=0.3)
    await log.ensure(PCHANNEL)
    await log.append(PCHANNEL, [b"x"], 0)
    reader = await log.read(PCHANNEL, 3)
    with pytest.raises(Corrupt, match="lost its end") as error:
        await asyncio.wait_for(reader.fetch(1_000), 10)
    assert error.value.channel == PCHANNEL
    await log.close()


async def test_what_is_under_way_stays_within_the_credit(nats: NatsServer) -> None:
    log = await open_log(nats)
    await log.ensure(PCHANNEL)
    for number in range(30):
        await log.append(PCHANNEL, [bytes(1_000_000)], number)
    reader = await log.read(PCHANNEL, 1)
    credit = 5_000_000
    fetched = sum(len(message.data) for message in await reader.fetch(credit))
    for _ in range(20):
        (consumer,) = await consumers(nats, PCHANNEL)
        delivered = consumer["delivered"]["consumer_seq"] * 1_000_000
        assert fetched <= delivered <= credit
    await reader.close()
    await log.close()


async def test_several_fetches_see_what_one_fetch_ordered(nats: NatsServer) -> None:
    log = await open_log(nats)
    await log.ensure(PCHANNEL)
    for number in range(200):
        await log.append(PCHANNEL, [b"x" * 100], number)
    reader = await log.read(PCHANNEL, 1)
    ids = [message.id for message in await reader.fetch(1_000_000)]
    while len(ids) < 200:
        ids += [message.id for message in await reader.fetch(250)]
    assert ids == list(range(1, 201))
    await reader.close()
    await log.close()
