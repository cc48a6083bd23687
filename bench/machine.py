"""The machine under a benchmark: made warm, measured by itself, and what processes cost on it.

**Owns** the floor (write + fsync), CPU seconds by process and peak memory. **Does not own** the
work that is measured.
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


def warm(directory: Path, size_bytes: int) -> None:
    """Use memory and page cache once.

    The first touch of a page that the host has not backed yet is several times slower than all
    later ones, which is the host's figure and not ours.
    """
    kept = [np.ones(_TOUCHED_AT_ONCE, np.uint8) for _ in range(size_bytes // _TOUCHED_AT_ONCE)]
    del kept
    write_and_sync(directory, size_bytes)


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
