"""Real servers that tests share.

**Owns** one etcd for the whole run; each test has a key root of its own in it. **Does not own**
servers that a test kills: it makes its own `EtcdServer`.
"""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from headrace.app.servers.etcd import NO_FSYNC, EtcdServer
from headrace.meta.etcd import EtcdMeta
from headrace.meta.etcd_connections import EtcdAccess
from headrace.meta.keys import Keys
from headrace.runtime.host import real_host

_roots = itertools.count(1)


@dataclass(frozen=True)
class Etcd:
    """The shared server, and this test's part of it."""

    server: EtcdServer
    access: EtcdAccess
    keys: Keys


@pytest.fixture(scope="session")
def etcd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """One etcd for the run, on a loop of its own: those of the tests come and go."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="servers")
    thread.start()
    server = EtcdServer(tmp_path_factory.mktemp("etcd"), flags=(NO_FSYNC,))
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def etcd(etcd_server: EtcdServer) -> Etcd:
    """The shared etcd with keys of this test's own."""
    access = EtcdAccess(endpoints=(etcd_server.endpoint,))
    return Etcd(etcd_server, access, Keys(f"test-{next(_roots)}"))


@pytest.fixture
async def etcd_meta(etcd: Etcd) -> AsyncIterator[EtcdMeta]:
    """A client of it."""
    meta = EtcdMeta(etcd.access, real_host())
    yield meta
    await meta.close()
