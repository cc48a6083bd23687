"""Restarts a NATS server whose disk was full, once there is room again.

After one failed write a stream of NATS answers every later append with the same error, however much
room there is by then (the error stays with the block that it writes to). Only a new process looks
at its files again. Nothing is lost: what was answered is synced. The failure is seen in the
server's own log; `servers.child` does the restart.
"""

import asyncio
import re
import shutil
import signal
from collections.abc import Callable

from headrace.app.servers.nats import NatsServer

POLL_S = 2.0
_FAILED = re.compile(
    rb"failed to store a msg on stream .*"
    rb"(?:no space left on device|disk quota exceeded|file too large)"
)


async def mend(server: NatsServer, room_bytes: int, say: Callable[[str], None]) -> None:
    """Until cancelled: end a server that could not write, once `room_bytes` are free."""
    place, failed = _end(server), False
    while True:
        await asyncio.sleep(POLL_S)
        written, place = _since(server, place)
        failed = failed or _FAILED.search(written) is not None
        if failed and shutil.disk_usage(server.store_dir).free >= room_bytes:
            say("nats could not write, and there is room again: it is started anew")
            server.signal(signal.SIGTERM)
            failed, place = False, _end(server)


def _end(server: NatsServer) -> int:
    return server.log_path.stat().st_size if server.log_path.exists() else 0


def _since(server: NatsServer, place: int) -> tuple[bytes, int]:
    """What its log has got since then; all of a log that was begun anew."""
    size = _end(server)
    if not size:
        return b"", 0
    with server.log_path.open("rb") as file:
        file.seek(place if place <= size else 0)
        return file.read(), file.tell()
