"""How fast a pchannel is read back: MB/s and CPU seconds per GB, within a credit of bytes.

**Owns** the measurement. **Does not own** what is to be reached (the runner of `make bench`).

    python -m bench.single.log_read [--bytes 3130000] [--messages 300] [--credit 32000000]
        [--rounds 3]
"""

import argparse
import asyncio
import resource
import tempfile
from pathlib import Path

from bench.single.log_append import LogFigures, Meter, fill, open_log
from headrace.app.servers.nats import NatsServer
from headrace.log.nats import NatsLog


async def measure_read(
    server: NatsServer, log: NatsLog, pchannel: str, *, total: int, messages: int, credit: int
) -> LogFigures:
    """Read the pchannel from its first message to its last, each fetch within `credit`."""
    reader = await log.read(pchannel, 1)
    meter = Meter(server)
    count = 0
    while count < messages:
        count += len(await reader.fetch(credit))
    figures = meter.figures(total)
    await reader.close()
    return figures


async def run(size: int, messages: int, credit: int, rounds: int) -> list[LogFigures]:
    """Fill a server of its own, then read it `rounds` times."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-", dir=Path.cwd()) as directory:
        server = NatsServer(Path(directory))
        await server.start()
        log = await open_log(server)
        try:
            await log.ensure("read")
            await fill(log, "read", size, messages)
            return [
                await measure_read(
                    server, log, "read", total=size * messages, messages=messages, credit=credit
                )
                for _ in range(rounds)
            ]
        finally:
            await log.close()
            await server.stop()


def main() -> None:
    """Print one line a round, and the most memory that this process had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=3_130_000)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--credit", type=int, default=32_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for figures in asyncio.run(run(given.bytes, given.messages, given.credit, given.rounds)):
        print(figures)
    print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


if __name__ == "__main__":
    main()
