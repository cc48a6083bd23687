"""`python -m bench`: every figure beside what was to be reached; exit status 1 below it.

**Owns** what is run, in which order, and where. **Does not own** how anything is measured. Figures
go to standard output, progress to standard error. Everything happens in a new directory below the
working directory, which must be on a disk.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from bench import ingest, takeover
from bench.figures import Figure, Say, file_system_of, print_table

INGEST = "ingest"
DATA_NODE = "takeover-data-node"
PROXY = "takeover-proxy"
NAMES = (INGEST, DATA_NODE, PROXY)

RUNS, QUICK_RUNS = 3, 1
REQUESTS, QUICK_REQUESTS = 160, 60  # of 3.1 MB, sent twice in each run
TAKEOVERS, QUICK_TAKEOVERS = 10, 2


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--only", choices=NAMES, action="append", help="may be given repeatedly")
    options = parser.parse_args()
    here = Path.cwd()
    file_system = file_system_of(here)
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    say(f"{cores} cores, {file_system}, load {load:.1f}")
    if load > cores / 2:
        say("the machine is busy with other things: figures will be worse than it can do")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-", dir=here) as name:
        wanted = options.only or NAMES
        figures = asyncio.run(measured(Path(name) / "cluster", wanted, options.quick, say))
    return print_table(figures, f"{file_system}, {cores} cores")


async def measured(
    directory: Path, wanted: list[str] | tuple[str, ...], quick: bool, say: Say
) -> list[Figure]:
    """The figures that are wanted."""
    found: list[Figure] = []
    times = QUICK_TAKEOVERS if quick else TAKEOVERS
    if INGEST in wanted:
        runs, requests = (QUICK_RUNS, QUICK_REQUESTS) if quick else (RUNS, REQUESTS)
        found += await ingest.measure(directory, runs, requests, say)
    if DATA_NODE in wanted:
        name = "take-over of a data node"
        found.append(await takeover.worst_of(takeover.of_data_node, directory, name, times, say))
    if PROXY in wanted:
        name = "take-over of a proxy"
        found.append(await takeover.worst_of(takeover.of_proxy, directory, name, times, say))
    return found


if __name__ == "__main__":
    sys.exit(main())
