"""`python -m bench`: every figure beside what was to be reached; exit status 1 below it.

**Owns** its options and where it runs. **Does not own** what there is to run (`bench.parts`).
Figures go to standard output, progress to standard error. Everything happens in a new directory
below the working directory, which must be on a disk.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, Say, file_system_of, print_table
from bench.parts import PARTS, Bench


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument(
        "--only", choices=list(PARTS), action="append", help="may be given repeatedly"
    )
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
        figures = asyncio.run(measured(Path(name), options.only or list(PARTS), options.quick, say))
    return print_table(figures, f"{file_system}, {cores} cores")


async def measured(directory: Path, wanted: list[str], quick: bool, say: Say) -> list[Figure]:
    """The figures of the parts that are wanted, in the order of the table."""
    found: list[Figure] = []
    for name, measure in PARTS.items():
        if name in wanted:
            found += await measure(Bench(directory / name, quick, say))
    return found


if __name__ == "__main__":
    sys.exit(main())
