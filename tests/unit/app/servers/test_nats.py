"""The NATS server as a child: ready when it says so, gone when its parent is."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from headrace.app.servers.nats import NatsServer
from headrace.log.monitor import is_healthy
from headrace.model.errors import Unavailable

PARENT = """
import asyncio, pathlib, sys
from headrace.app.servers.nats import NatsServer

async def main():
    server = NatsServer(pathlib.Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_it_is_ready_when_start_returns_and_gone_when_stop_does(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    await server.start()
    pid = server.pid
    assert pid is not None
    assert await is_healthy(server.monitor_url)
    assert server.store_dir.is_dir()
    await server.stop()
    assert server.pid is None
    assert not psutil.pid_exists(pid)


async def test_it_comes_back_at_the_same_ports(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    await server.start()
    before = (server.url, server.monitor_url, server.pid)
    await server.kill()
    assert server.pid is None
    await server.start()
    assert (server.url, server.monitor_url) == before[:2]
    assert server.pid != before[2]
    await server.stop()


async def test_a_directory_may_have_any_name(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / 'ein "Verzeichnis" für $HOME #1 {x}')
    await server.start()
    assert (server.data_dir / "nats.pid").exists()
    await server.stop()


async def test_a_server_that_cannot_start_is_unavailable_and_names_its_log(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    server.config = lambda: "jetstream {"  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match=r"ended at its start: see .*nats\.log"):
        await server.start()
    assert server.pid is None


async def test_a_port_that_was_taken_in_the_meantime_is_exchanged(tmp_path: Path) -> None:
    running, other = NatsServer(tmp_path / "one"), NatsServer(tmp_path / "two")
    await running.start()
    other.port = running.port
    await other.start()
    assert other.port != running.port
    await other.stop()
    await running.stop()


async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    server = psutil.Process(pid)
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [server], 10)
    assert not alive


async def test_a_server_that_dies_is_restarted_when_that_is_wanted(tmp_path: Path) -> None:
    changes: list[str] = []
    server = NatsServer(tmp_path / "nats", restart=True, on_change=changes.append)
    await server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while not await is_healthy(server.monitor_url) or server.pid in (None, pid):
            continue
    assert "nats ended (signal 9)" in changes[0]
    await server.stop()
