"""NATS beside the contract: what a server must be like, and how its deaths and freezes are met."""

import asyncio
from pathlib import Path

import pytest
from support.servers.nats import edit, frozen, open_log, settle
from support.servers.nats import nats as nats

from headrace.app.servers.nats import NatsServer
from headrace.log.link import dial
from headrace.log.nats import NatsLog
from headrace.log.settings import NatsSettings
from headrace.model.errors import Conflict, Invalid, Unavailable
from headrace.runtime.host import real_host

PCHANNEL = "headrace-dml-0"
QUICK = {"ping_s": 0.1, "silence_most_s": 0.5, "connect_timeout_s": 0.5}


async def test_a_server_that_syncs_now_and_then_is_refused(nats: NatsServer) -> None:
    edit(nats, "sync_interval: always", "sync_interval: 2m")
    await nats.stop()
    await nats.start()
    with pytest.raises(Invalid, match="sync_interval: always"):
        await open_log(nats)


async def test_an_operator_may_vouch_for_a_server_without_monitoring(nats: NatsServer) -> None:
    with pytest.raises(Invalid, match="sync_confirmed"):
        await open_log(nats, monitor_url="")
    log = await open_log(nats, monitor_url="", sync_confirmed=True)
    await log.close()


async def test_the_monitoring_port_of_another_server_proves_nothing(
    nats: NatsServer, tmp_path: Path
) -> None:
    other = NatsServer(tmp_path / "other")
    await other.start()
    try:
        with pytest.raises(Invalid, match="is not the monitoring port of"):
            await open_log(nats, monitor_url=other.monitor_url)
    finally:
        await other.stop()


async def test_a_server_that_takes_small_messages_only_is_refused(nats: NatsServer) -> None:
    edit(nats, "max_payload: 8388608", "max_payload: 1MB")
    await nats.stop()
    await nats.start()
    with pytest.raises(Invalid, match="max_payload: 8MB"):
        await open_log(nats)


async def test_a_server_without_jetstream_is_refused(nats: NatsServer) -> None:
    edit(nats, "jetstream {", "jetstream {\n  enabled: false")
    await nats.stop()
    await nats.start()
    with pytest.raises(Invalid, match="JetStream"):
        await open_log(nats, sync_confirmed=True)


async def test_a_stream_with_limits_is_refused(nats: NatsServer) -> None:
    log = await open_log(nats)
    link = await dial(NatsSettings(servers=(nats.url,)), real_host())
    await link.request(
        f"$JS.API.STREAM.CREATE.{PCHANNEL}",
        [b'{"name": "%s", "subjects": ["%s"], "max_msgs": 5}' % ((PCHANNEL.encode(),) * 2)],
        timeout_s=5.0,
    )
    with pytest.raises(Invalid, match="max_msgs"):
        await log.ensure(PCHANNEL)
    link.close()
    await log.close()


async def test_a_freeze_shorter_than_the_timeout_is_only_a_delay(nats: NatsServer) -> None:
    log = await open_log(nats)
    await log.ensure(PCHANNEL)
    with frozen(nats):
        appending = asyncio.create_task(log.append(PCHANNEL, [b"x"], 0))
        done, _ = await asyncio.wait([appending], timeout=0.2)
        assert not done
    assert await asyncio.wait_for(appending, 10) == 1
    await log.close()


async def test_an_append_that_timed_out_in_a_freeze_may_still_be_taken(nats: NatsServer) -> None:
    log = await open_log(nats, append_timeout_s=0.3)
    await log.ensure(PCHANNEL)
    with frozen(nats), pytest.raises(Unavailable):
        await log.append(PCHANNEL, [b"late"], 0)
    assert await asyncio.wait_for(settle(log, PCHANNEL, b"late", 0), 10) == 1
    with pytest.raises(Conflict):
        await log.append(PCHANNEL, [b"another"], 0)
    await log.close()


async def test_a_frozen_server_is_given_up_and_found_again(nats: NatsServer) -> None:
    log = await open_log(nats, **QUICK)
    await log.ensure(PCHANNEL)
    await log.append(PCHANNEL, [b"before"], 0)
    reader = await log.read(PCHANNEL, 1)
    assert [m.id for m in await reader.fetch(1_000)] == [1]
    fetching = asyncio.create_task(reader.fetch(1_000))
    with frozen(nats), pytest.raises(Unavailable, match="silent"):
        await log.append(PCHANNEL, [b"x" * 7_000_000], 1)
    # What was cut off in the middle was never a message.
    assert await asyncio.wait_for(settle(log, PCHANNEL, b"after", 1), 10) == 2
    assert [(m.id, bytes(m.data)) for m in await asyncio.wait_for(fetching, 10)] == [(2, b"after")]
    await reader.close()
    await log.close()


async def test_a_log_without_its_server_says_so_quickly(nats: NatsServer) -> None:
    log = await open_log(nats, connected_wait_s=0.1)
    await log.ensure(PCHANNEL)
    await nats.kill()
    async with asyncio.timeout(2):
        with pytest.raises(Unavailable):
            await log.append(PCHANNEL, [b"x"], 0)
        with pytest.raises(Unavailable):
            await log.last(PCHANNEL)
    await log.close()


async def test_a_large_append_does_not_hold_up_its_neighbours(nats: NatsServer) -> None:
    log = await open_log(nats)
    names = [f"headrace-dml-{number}" for number in range(8)]
    for name in names:
        await log.ensure(name)
    for last in range(3):
        data = [bytes([last]) * 1_000_000, bytes([last + 100]) * 2_000_000]
        appended = await asyncio.gather(*(log.append(name, data, last) for name in names))
        assert appended == [last + 1] * len(names)
    for name in names:
        message = await log.get(name, 3)
        assert message is not None
        assert bytes(message.data) == bytes([2]) * 1_000_000 + bytes([102]) * 2_000_000
    await log.close()


async def test_what_another_client_library_reads_is_what_was_appended(nats: NatsServer) -> None:
    import nats as library

    log = await open_log(nats)
    await log.ensure(PCHANNEL)
    written = [b"%d" % number * 50_000 for number in range(5)]
    for last, data in enumerate(written):
        await log.append(PCHANNEL, [data[:7], data[7:]], last)
    client = await library.connect(nats.url)
    stored = [await client.jetstream().get_msg(PCHANNEL, seq=n + 1) for n in range(5)]
    assert [message.data for message in stored] == written
    await client.close()
    await log.close()


async def test_closing_leaves_no_task_behind(nats: NatsServer) -> None:
    before = asyncio.all_tasks()
    log: NatsLog = await open_log(nats)
    await log.ensure(PCHANNEL)
    reader = await log.read(PCHANNEL, 1)
    await log.append(PCHANNEL, [b"x"], 0)
    await reader.fetch(10)
    await reader.close()
    await log.close()
    after = asyncio.all_tasks() - before
    await asyncio.wait(after, timeout=5) if after else None
    assert asyncio.all_tasks() == before
