"""The S3 server as a child process."""

import asyncio

import pytest

from headrace.app.servers.s3 import S3Server
from headrace.objects.s3 import S3Objects
from headrace.runtime.host import real_host
from headrace.runtime.retry import retry


@pytest.fixture
async def server(tmp_path):
    made = S3Server(tmp_path)
    await made.start()
    yield made
    await made.stop()


def store(server: S3Server) -> S3Objects:
    return S3Objects(server.uri, server.access(), host=real_host())


async def test_objects_outlive_a_killed_server_and_its_clients_come_back(server):
    client = store(server)
    await client.check()
    await client.put("a/b", [b"x" * 100_000])
    await server.kill()
    assert server.pid is None
    await server.start()
    # The server takes requests some moments before it finds its own volumes again.
    found = await retry(lambda: client.get("a/b"), real_host(), timeout_s=30)
    assert found == b"x" * 100_000


async def test_it_listens_on_loopback_only_and_keeps_its_secrets_to_itself(server):
    assert server.endpoint.startswith("http://127.0.0.1:")
    assert (server.data_dir / "identities.json").stat().st_mode & 0o077 == 0


async def test_a_person_can_start_it_again_where_it_was(server):
    await store(server).put("a/b", [b"x"])
    await server.stop()
    again = await asyncio.create_subprocess_shell(f"exec {server.start_again} 2>&1", stdout=-1)
    try:
        await retry(lambda: store(server).check(), real_host(), timeout_s=30)
        assert await store(server).get("a/b") == b"x"
    finally:
        again.terminate()
        await again.communicate()
