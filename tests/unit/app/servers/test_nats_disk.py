"""A server whose disk was full, for which the limit of a file's size stands in."""

import asyncio
import resource
import shutil
from pathlib import Path

import nats
import pytest
from nats.errors import Error
from nats.js import JetStreamContext

from headrace.app.servers import nats_disk
from headrace.app.servers.nats import NatsServer
from headrace.runtime.host import real_host
from headrace.runtime.retry import retry

LIMIT_BYTES = 100_000


async def fill(stream: JetStreamContext) -> None:
    """Up to the first append that fails."""
    while True:
        await stream.publish("s.x", bytes(10_000))


async def test_it_is_started_anew_when_it_could_not_write_and_keeps_what_it_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_disk, "POLL_S", 0.05)
    said: list[str] = []
    server = NatsServer(tmp_path / "nats", restart=True)
    await server.start()
    client = await nats.connect(server.url)
    stream = client.jetstream(timeout=2)
    await stream.add_stream(name="s", subjects=["s.*"])
    assert server.pid is not None
    lifted = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, lifted[1]))
    with pytest.raises(Error):
        await fill(stream)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, lifted)
    with pytest.raises(Error):  # room alone does not help
        await stream.publish("s.x", b"")
    stored = (await stream.stream_info("s")).state.messages
    mending = asyncio.create_task(nats_disk.mend(server, 0, said.append))
    try:
        with pytest.raises(Error):
            await stream.publish("s.x", b"")
        done = await retry(
            lambda: stream.publish("s.x", b""), real_host(), errors=(Error,), timeout_s=30
        )
        assert done.seq > stored
        assert len(said) == 1
    finally:
        mending.cancel()
        await client.close()
        await server.stop()


async def test_without_room_it_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_disk, "POLL_S", 0.001)
    looked = asyncio.Event()
    server = NatsServer(tmp_path / "nats")
    server.log_path.parent.mkdir()
    server.log_path.write_text("")
    usage = shutil.disk_usage

    def look_at_disk(path: Path) -> object:
        looked.set()
        return usage(tmp_path)

    monkeypatch.setattr(nats_disk.shutil, "disk_usage", look_at_disk)
    said: list[str] = []
    mending = asyncio.create_task(nats_disk.mend(server, 1 << 62, said.append))
    async with asyncio.timeout(10):
        await asyncio.sleep(0)  # it knows the end of the log before it waits for the first time
        with server.log_path.open("a") as log:
            log.write("failed to store a msg on stream 's': no space left on device\n")
        for _ in range(3):
            await looked.wait()
            looked.clear()
    mending.cancel()
    assert said == []
