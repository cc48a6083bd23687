"""A real NATS server for one test, on free loopback ports, in the test's own directory."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.app.servers.nats import NatsServer
from headrace.log.api import Log, Message
from headrace.log.link import dial
from headrace.log.nats import NatsLog
from headrace.log.settings import NatsSettings
from headrace.model.errors import Conflict, Unavailable
from headrace.runtime.host import real_host
from headrace.runtime.telemetry import silent


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A server that is ready; stopped, or what is left of it killed, after the test."""
    server = NatsServer(tmp_path / "nats")
    await server.start()
    yield server
    server.thaw()
    await server.stop()


@contextmanager
def frozen(server: NatsServer) -> Iterator[None]:
    """Inside the block no thread of the server runs: SIGSTOP takes effect some time after it."""
    server.freeze()
    while any(state != "T" for state in _thread_states(server.pid)):
        continue
    try:
        yield
    finally:
        server.thaw()


def _thread_states(pid: int | None) -> list[str]:
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    assert stats
    return [stat.rpartition(")")[2].split()[0] for stat in stats]


async def open_log(server: NatsServer, **settings: Any) -> NatsLog:
    """A client of that server; `settings` are fields of `NatsSettings`."""
    chosen = {
        "servers": (server.url,),
        "monitor_url": server.monitor_url,
        "store_dir": str(server.store_dir),
        **settings,
    }
    return await NatsLog.open(NatsSettings(**chosen), real_host(), silent())


async def consumers(server: NatsServer, pchannel: str) -> list[dict[str, Any]]:
    """What the server says of the consumers of a pchannel's stream."""
    link = await dial(NatsSettings(servers=(server.url,)), real_host())
    answer = await link.request(f"$JS.API.CONSUMER.LIST.{pchannel}", [], timeout_s=5.0)
    link.close()
    found: list[dict[str, Any]] = json.loads(bytes(answer.payload))["consumers"]
    return found


def edit(server: NatsServer, before: str, after: str) -> None:
    """Let the server start with another configuration from now on."""
    written = server.config

    def changed() -> str:
        assert before in written()
        return written().replace(before, after)

    server.config = changed  # type: ignore[method-assign]


async def settle(log: Log, pchannel: str, data: bytes, last: int) -> int:
    """Append as a sequencer does: the same bytes under the same id until they stand there."""
    while True:
        try:
            return await log.append(pchannel, [data], last)
        except (Conflict, Unavailable):
            message = await _found(log, pchannel, last + 1)
        if message is not None:
            assert bytes(message.data) == data
            return last + 1


async def _found(log: Log, pchannel: str, message_id: int) -> Message | None:
    try:
        return await log.get(pchannel, message_id)
    except Unavailable:
        return None
