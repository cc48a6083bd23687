"""A real S3 server that tests share; each test has a prefix of its own in its bucket."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from headrace.app.servers.s3 import S3Server
from headrace.objects.s3 import S3Objects
from headrace.objects.s3_access import S3Access
from headrace.runtime.host import real_host
from support.servers.s3_trouble import TroubledS3

_prefixes = itertools.count(1)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for the run, on a loop of its own: those of the tests come and go."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="s3-server")
    thread.start()
    server = S3Server(tmp_path_factory.mktemp("s3"), synced=False)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(frozen=True)
class S3Bucket:
    """A test's part of the bucket."""

    uri: str
    access: S3Access

    @property
    def settings(self) -> tuple[str, ...]:
        """What a cluster has to be told to reach it."""
        return (
            f"objects.endpoint={self.access.endpoint}",
            f"objects.access_key_id={self.access.access_key_id}",
            f"objects.secret_access_key={self.access.secret_access_key}",
        )

    def store(self, access: S3Access | None = None) -> S3Objects:
        """A client of it."""
        return S3Objects(self.uri, access or self.access, host=real_host())


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> S3Bucket:
    """The shared bucket with a prefix of this test's own."""
    return S3Bucket(f"{s3_server.uri}/test-{next(_prefixes)}", s3_server.access())


@pytest.fixture
def s3_trouble(s3_server: S3Server) -> Iterator[TroubledS3]:
    """A way to the shared server on which things go wrong."""
    proxy = TroubledS3(s3_server.endpoint).start()
    yield proxy
    proxy.stop()
