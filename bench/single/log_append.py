"""How fast a pchannel takes appends, each synced: MB/s and CPU seconds per GB on both sides.

**Owns** the measurement. **Does not own** what is to be reached (the runner of `make bench`). One
append is in flight a pchannel, as the sequencer does it; `pchannels` of them run beside each other.
CPU is the column to trust on a busy machine.

    python -m bench.single.log_append [--bytes 3130000] [--messages 200] [--pchannels 1]
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from headrace.app.servers.nats import NatsServer
from headrace.log.nats import NatsLog
from headrace.log.settings import NatsSettings
from headrace.runtime.host import real_host
from headrace.runtime.telemetry import silent

PART_BYTES = 400_000  # a group is many bodies


@dataclass(frozen=True, slots=True)
class LogFigures:
    """What moving `total_bytes` cost. Seconds are wall clock, CPU seconds are user and system."""

    total_bytes: int
    seconds: float
    client_cpu_s: float
    server_cpu_s: float

    @property
    def mb_s(self) -> float:
        """Millions of bytes a second."""
        return self.total_bytes / self.seconds / 1e6

    @property
    def client_cpu_s_gb(self) -> float:
        """Of this process."""
        return self.client_cpu_s / self.total_bytes * 1e9

    @property
    def server_cpu_s_gb(self) -> float:
        """Of the NATS server."""
        return self.server_cpu_s / self.total_bytes * 1e9

    def __str__(self) -> str:
        return (
            f"{self.mb_s:8.0f} MB/s   client {self.client_cpu_s_gb:5.2f} CPU s/GB"
            f"   server {self.server_cpu_s_gb:5.2f} CPU s/GB"
        )


class Meter:
    """Wall and CPU time from its making on."""

    def __init__(self, server: NatsServer) -> None:
        self._server = psutil.Process(server.pid)
        self._began = (time.perf_counter(), time.process_time(), self._server_cpu_s())

    def figures(self, total_bytes: int) -> LogFigures:
        """What was used until now."""
        wall, client, cpu = self._began
        return LogFigures(
            total_bytes,
            time.perf_counter() - wall,
            time.process_time() - client,
            self._server_cpu_s() - cpu,
        )

    def _server_cpu_s(self) -> float:
        times = self._server.cpu_times()
        return times.user + times.system


async def open_log(server: NatsServer) -> NatsLog:
    """A client of the benchmark's own server."""
    settings = NatsSettings(servers=(server.url,), monitor_url=server.monitor_url)
    return await NatsLog.open(settings, real_host(), silent())


def message_of(size: int) -> list[bytes]:
    """Parts of one message, together `size` bytes."""
    return [bytes(min(PART_BYTES, size - start)) for start in range(0, size, PART_BYTES)]


async def fill(log: NatsLog, pchannel: str, size: int, messages: int) -> None:
    """Append `messages` messages of `size` bytes, one in flight."""
    parts = message_of(size)
    last = await log.last(pchannel)
    for _ in range(messages):
        last = await log.append(pchannel, parts, last)


async def measure_append(
    server: NatsServer, *, size: int, messages: int, pchannels: int
) -> LogFigures:
    """Append to `pchannels` at once, `messages` in all."""
    log = await open_log(server)
    names = [f"append-{size}-{number}" for number in range(pchannels)]
    for name in names:
        await log.ensure(name)
        await fill(log, name, size, 2)
    each = messages // pchannels
    meter = Meter(server)
    await asyncio.gather(*(fill(log, name, size, each) for name in names))
    figures = meter.figures(each * pchannels * size)
    await log.close()
    return figures


async def run(size: int, messages: int, pchannels: int) -> LogFigures:
    """Measure on a server of its own, in a directory that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-", dir=Path.cwd()) as directory:
        server = NatsServer(Path(directory))
        await server.start()
        try:
            return await measure_append(server, size=size, messages=messages, pchannels=pchannels)
        finally:
            await server.stop()


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=3_130_000)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--pchannels", type=int, default=1)
    given = parser.parse_args()
    print(asyncio.run(run(given.bytes, given.messages, given.pchannels)))


if __name__ == "__main__":
    main()
