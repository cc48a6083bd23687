"""Objects on a local disk, as the port: every call of `objects.disk` runs in a thread."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from headrace.model.entry import Body
from headrace.objects.api import ObjectInfo
from headrace.objects.disk import Disk
from headrace.runtime.host import Host


class LocalObjects:
    """A directory; see `headrace.objects.api.ObjectStore`. Many processes may share it."""

    def __init__(self, root: Path | str, *, host: Host) -> None:
        self._disk = Disk(Path(root).absolute(), f"{os.getpid()}-{host.token(6).hex()}")
        self._offload = host.offload

    @property
    def uri(self) -> str:
        return self._disk.root.as_uri()

    async def check(self) -> None:
        """Removes temporary files that dead processes left."""
        await self._offload.run(self._disk.check)

    async def put(self, key: str, parts: Sequence[Body]) -> None:
        """A caller that is cancelled meanwhile leaves the put to its end."""
        await self._offload.run(partial(self._disk.put, key, parts))

    async def get(self, key: str) -> bytes:
        return await self._offload.run(partial(self._disk.get, key))

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        return await self._offload.run(partial(self._disk.get_range, key, start, length))

    async def list(self, prefix: str, *, after: str = "") -> Sequence[ObjectInfo]:
        return await self._offload.run(partial(self._disk.list, prefix, after))

    async def delete(self, keys: Sequence[str]) -> None:
        await self._offload.run(partial(self._disk.delete, keys))

    async def free_bytes(self) -> int | None:
        return await self._offload.run(self._disk.free_bytes)

    async def close(self) -> None:
        """There is nothing to give back."""
