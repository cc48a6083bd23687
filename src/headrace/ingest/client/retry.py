"""Repeats calls for a while when the server can not do them, and waits for a flush.

What may be repeated is what `connection` raises as `Unavailable`.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from headrace.ingest.client.connection import Connection
from headrace.model.errors import Unavailable
from headrace.model.timestamp import Timestamp
from headrace.runtime.host import Host
from headrace.runtime.retry import Pauses, retry

T = TypeVar("T")
PAUSES = Pauses(first_s=0.1, most_s=3.0)
POLL_S = 0.1


class Retries:
    """Of one run; each call is repeated for so many seconds, and `note` says when one waits."""

    def __init__(self, host: Host, note: Callable[[str], None], seconds: float) -> None:
        self._host, self._note, self._seconds = host, note, seconds

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work()`, repeated while it is `Unavailable`; then that, in words."""
        told = False

        def failed(error: Exception) -> None:
            nonlocal told
            if not told:
                self._note(f"waiting for the server: {error}")
                told = True

        try:
            return await retry(
                work, self._host, pauses=PAUSES, on_failure=failed, timeout_s=self._seconds
            )
        except Unavailable as error:
            raise Unavailable(
                f"nothing was done for {self._seconds:.0f} s: {error.message}; what was "
                "acknowledged stands, and the same command goes on from there"
            ) from error

    async def flush(self, connection: Connection, collection: str) -> Timestamp:
        """Everything written so far in files; the timestamp up to which."""
        at = await self.call(lambda: connection.begin_flush(collection))
        while not await self.call(lambda: connection.flushed(collection, at)):
            await self._host.clock.sleep(POLL_S)
        return at
