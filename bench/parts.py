"""The parts of `make bench`, by name: each measures some figures that belong together.

**Owns** the table of parts and what each is given. **Does not own** how anything is measured (the
modules that it names). A new part is one line in `PARTS`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import failover, file_ingest, insert, stores
from bench.columns import types, vectors
from bench.figures import Figure, Say

RUNS, QUICK_RUNS = 3, 1
REQUESTS, QUICK_REQUESTS = 160, 60  # of 3.1 MB, sent twice in each run
FAILOVERS, QUICK_FAILOVERS = 10, 2
FILE_ROWS, QUICK_FILE_ROWS = 200_000, 30_000  # of 3.1 KB
ROUNDS, QUICK_ROUNDS = 9, 3  # of each kind of vector, of each type


@dataclass(frozen=True, slots=True)
class Bench:
    """What a part is given: the path of a directory to be made, on a disk, and how thorough it
    should be."""

    directory: Path
    quick: bool
    say: Say


Measure = Callable[[Bench], Awaitable[list[Figure]]]


async def _insert(bench: Bench) -> list[Figure]:
    runs, requests = (QUICK_RUNS, QUICK_REQUESTS) if bench.quick else (RUNS, REQUESTS)
    return await insert.measure(bench.directory, runs, requests, bench.say)


async def _file_ingest(bench: Bench) -> list[Figure]:
    runs, rows = (QUICK_RUNS, QUICK_FILE_ROWS) if bench.quick else (RUNS, FILE_ROWS)
    return await file_ingest.measure(bench.directory, runs, rows, bench.say)


async def _vectors(bench: Bench) -> list[Figure]:
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    return await asyncio.to_thread(vectors.measure, bench.directory, rounds, bench.say)


async def _types(bench: Bench) -> list[Figure]:
    return await types.measure(bench.directory, QUICK_ROUNDS if bench.quick else ROUNDS, bench.say)


async def _stores(bench: Bench) -> list[Figure]:
    runs, requests = (QUICK_RUNS, QUICK_REQUESTS) if bench.quick else (RUNS, REQUESTS)
    return await stores.measure(bench.directory, runs, requests, bench.say)


async def _data_node(bench: Bench) -> list[Figure]:
    return await _failover(bench, "failover of a data node", failover.of_data_node)


async def _proxy(bench: Bench) -> list[Figure]:
    return await _failover(bench, "failover of a proxy", failover.of_proxy)


async def _failover(bench: Bench, name: str, one: failover.Measure) -> list[Figure]:
    times = QUICK_FAILOVERS if bench.quick else FAILOVERS
    return [await failover.worst_of(one, bench.directory, name, times, bench.say)]


PARTS: Mapping[str, Measure] = {
    "insert": _insert,
    "file-ingest": _file_ingest,
    "vectors": _vectors,
    "types": _types,
    "stores": _stores,
    "failover-data-node": _data_node,
    "failover-proxy": _proxy,
}
