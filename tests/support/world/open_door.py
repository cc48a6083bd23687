"""A front door on a real socket, in a thread, with plain services behind it: for real clients.

**Owns** the thread and its loop. What stands behind the door is `support.world.proxy`.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from headrace.proxy.door.frontdoor import FrontDoor
from headrace.proxy.settings import ProxySettings
from headrace.runtime.host import real_host
from headrace.runtime.telemetry import silent
from support.world.proxy import ProxyWorld

T = TypeVar("T")


class OpenDoor:
    """An address for clients, and the world behind it, which belongs to another thread's loop."""

    def __init__(self, settings: ProxySettings) -> None:
        self.address = ""
        self.calls: list[str] = []
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._opened = threading.Event()
        self._close = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def uri(self) -> str:
        """As clients want it."""
        return f"http://{self.address}"

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the world's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def open(self) -> None:
        """Begin to listen."""
        self._thread.start()
        assert self._opened.wait(30)

    def close(self) -> None:
        """End it all."""
        self._loop.call_soon_threadsafe(self._close.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        host = real_host()
        async with ProxyWorld(settings=self._settings, clock=host.clock, host=host) as self.world:
            methods = self.world.assembly.methods
            answer = methods.answer

            async def noted(data: bytes, call: Any) -> bytes:
                self.calls.append(call.method)
                return await answer(data, call)

            methods.answer = noted  # type: ignore[method-assign]
            door = FrontDoor(methods, self._settings, host, silent())
            await door.start()
            self.address = door.address
            self._opened.set()
            await self._close.wait()
            await door.stop()


@contextmanager
def open_door(settings: ProxySettings | None = None) -> Iterator[OpenDoor]:
    """A door that is open inside the block."""
    door = OpenDoor(settings or ProxySettings(port=0))
    door.open()
    try:
        yield door
    finally:
        door.close()
