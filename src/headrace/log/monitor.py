"""What a NATS server says about itself at its monitoring port.

A client cannot see `sync_interval` in any other way, and by default a server answers appends that
it has not synced: Jepsen lost acknowledged messages that way (`docs/decisions`).
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from headrace.model.errors import Invalid, Unavailable

ANSWER_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ServerReport:
    """The part of `/jsz?config=1` that is looked at."""

    server_id: str
    jetstream: bool
    sync_always: bool  # an append is answered after it was synced
    store_bytes: int  # in use
    store_most_bytes: int  # `max_file_store`, what the server lets itself use


async def report(url: str, timeout_s: float = 2.0) -> ServerReport:
    """The report of the server whose monitoring port is at `url`; `Unavailable` without one."""
    answer = await _get(url, "/jsz?config=1", timeout_s)
    config = answer.get("config") or {}
    return ServerReport(
        server_id=str(answer.get("server_id", "")),
        jetstream=not answer.get("disabled", False) and bool(config),
        sync_always=bool(config.get("sync_always", False)),
        store_bytes=int(answer.get("storage", 0)),
        store_most_bytes=int(config.get("max_storage", 0)),
    )


async def is_healthy(url: str, timeout_s: float = 2.0) -> bool:
    """Whether the server says that it and its JetStream are ready; False when it says nothing."""
    try:
        return bool((await _get(url, "/healthz", timeout_s)).get("status") == "ok")
    except Unavailable:
        return False


async def _get(url: str, path: str, timeout_s: float) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or not parts.port:
        raise Invalid(
            f"log.monitor_url must be http://HOST:PORT, not {url!r}", field="log.monitor_url"
        )
    try:
        async with asyncio.timeout(timeout_s):
            raw = await _exchange(parts.hostname, parts.port, path)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"NATS monitoring port {url}: {error or 'no answer'}") from error
    head, _, body = raw.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or status[1] != b"200":
        raise Unavailable(f"NATS monitoring port {url}{path}: {head[:80]!r}")
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise Unavailable(f"NATS monitoring port {url}{path}: no JSON") from error
    if not isinstance(answer, dict):
        raise Unavailable(f"NATS monitoring port {url}{path}: no JSON object")
    return answer


async def _exchange(host: str, port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, limit=ANSWER_MOST_BYTES)
    try:
        # HTTP/1.0: the answer ends with the connection, in one piece.
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        await writer.drain()
        return await reader.read(-1)
    finally:
        writer.close()
