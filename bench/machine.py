"""The machine under a benchmark: made warm, measured by itself, and what processes cost on it.

**Owns** the floor (write + fsync), warm memory, CPU seconds by process and peak memory. **Does not
own** the work that is measured.

Why warm memory: on a virtual machine the first touch of a page that its host has not backed costs
ten times as much as any later one (measured: files written at 210 MB/s and 2.2 CPU s/GB instead of
1,000 and 0.25), and the host takes free pages back after some seconds. That is the host's figure
and not ours, and it would fall on one side of a ratio and not on the other.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil

from bench.figures import MB

FILE_BYTES = 64 * MB  # of one file of the floor, as of one segment file
_TOUCHED_AT_ONCE = 256 * MB
_SHARE_MOST = 4  # of the memory that is available, a quarter


class WarmPages:
    """Memory that the host has backed, kept from it until `release`: then a process that needs a
    page, for memory or for page cache, gets one of these."""

    def __init__(self, size_bytes: int) -> None:
        size_bytes = min(size_bytes, psutil.virtual_memory().available // _SHARE_MOST)
        pieces = range(0, size_bytes, _TOUCHED_AT_ONCE)
        self._held = [np.ones(_TOUCHED_AT_ONCE, np.uint8) for _ in pieces]

    def release(self) -> None:
        """Give it to the system."""
        self._held.clear()


def write_and_sync(directory: Path, size_bytes: int) -> float:
    """MB/s of writing so many bytes in files of 64 MB, each fsynced and then removed."""
    piece = np.random.default_rng(1).bytes(FILE_BYTES)
    began, left, paths = time.perf_counter(), size_bytes, []
    while left > 0:
        path = directory / f"floor-{len(paths)}"
        with path.open("wb", buffering=0) as file:
            file.write(memoryview(piece)[:left])
            os.fsync(file.fileno())
        paths.append(path)
        left -= FILE_BYTES
    took = time.perf_counter() - began
    for path in paths:
        path.unlink()
    return size_bytes / MB / took


class Meter:
    """CPU seconds of processes (user and system, all threads) from its making on."""

    def __init__(self, pids: Mapping[str, int | None]) -> None:
        self._processes = {
            name: psutil.Process(pid) for name, pid in pids.items() if pid is not None
        }
        self._began = {name: _cpu_s(p) for name, p in self._processes.items()}

    def per_gb(self, size_bytes: int) -> str:
        """What each used for every GB of `size_bytes`, in words."""
        used = {n: _cpu_s(p) - self._began[n] for n, p in self._processes.items()}
        told = ", ".join(f"{name} {s / (size_bytes / 1e9):.2f}" for name, s in used.items())
        return f"CPU s/GB: {told}"


def peak_mb(pid: int | None) -> float:
    """The most memory that a living process has had resident, in MB."""
    assert pid is not None, "the process has ended"
    for line in Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / MB
    raise SystemExit("this system does not tell a process's peak memory")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
