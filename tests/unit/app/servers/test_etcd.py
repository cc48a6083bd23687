"""A real etcd as a child: ready when it says so, data kept, gone with its parent."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from headrace.app.servers.etcd import NO_FSYNC, EtcdServer, find_binary
from headrace.meta.api import Put
from headrace.meta.etcd import EtcdMeta
from headrace.meta.etcd_connections import EtcdAccess
from headrace.model.errors import Unavailable
from headrace.runtime.host import RealClock, real_host

PARENT = """
import asyncio, sys
from pathlib import Path
from headrace.app.servers.etcd import NO_FSYNC, EtcdServer

async def main():
    server = EtcdServer(Path(sys.argv[1]), flags=(NO_FSYNC,))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_data_survive_a_kill_and_a_stop(tmp_path: Path) -> None:
    server = EtcdServer(tmp_path / "etcd")
    await server.start()
    meta = EtcdMeta(EtcdAccess(endpoints=(server.endpoint,)), real_host())
    await meta.txn([], [Put("a", b"x")])
    for end in (server.kill, server.stop):
        await end()
        assert server.pid is None
        await server.start()
        item = (await meta.get("a")).first
        assert item is not None
        assert item.value == b"x"
    await meta.close()
    await server.stop()


async def test_another_server_goes_on_with_the_directory(tmp_path: Path) -> None:
    for n in range(2):
        server = EtcdServer(tmp_path / "etcd", flags=(NO_FSYNC,))
        await server.start()
        meta = EtcdMeta(EtcdAccess(endpoints=(server.endpoint,)), real_host())
        assert (await meta.txn([], [Put("a", b"x")])).revision == 2 + n
        await meta.close()
        await server.stop()


async def test_a_start_that_fails_names_the_log(tmp_path: Path) -> None:
    server = EtcdServer(tmp_path / "etcd", flags=("--no-such-flag",))
    with pytest.raises(Unavailable, match=r"etcd\.log"):
        await server.start()
    await server.stop()


async def test_a_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "etcd"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    clock = RealClock()
    async with asyncio.timeout(10):
        while _lives(pid):
            await clock.sleep(0.02)


def _lives(pid: int) -> bool:
    """Whether the process runs; an ended one may wait for the one that inherited it."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize(("version", "taken"), [("3.5.5", False), ("3.5.6", True), ("3.6.1", True)])
async def test_an_installed_etcd_is_taken_if_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool
) -> None:
    installed = tmp_path / "etcd"
    installed.write_text(f"#!/bin/sh\necho 'etcd Version: {version}'\n")
    installed.chmod(installed.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said: list[str] = []
    assert (await find_binary(said.append) == installed) is taken
    assert said == ([f"etcd {version} of {installed} is used"] if taken else [])


async def test_a_frozen_server_goes_on_when_it_is_thawed(tmp_path: Path) -> None:
    server = EtcdServer(tmp_path / "etcd", flags=(NO_FSYNC,))
    await server.start()
    meta = EtcdMeta(EtcdAccess(endpoints=(server.endpoint,)), real_host())
    lease = await meta.grant(60)
    server.freeze()
    with pytest.raises(Unavailable):
        await meta.keep_alive(lease)
    server.thaw()
    async with asyncio.timeout(10):
        while True:
            try:
                assert await meta.keep_alive(lease) == 60
                break
            except Unavailable:
                continue
    await meta.close()
    await server.stop()
