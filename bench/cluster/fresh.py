"""A fresh cluster for each run.

**Owns** its start and end. **Does not own** the supervisor (`headrace.app.standalone`).
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from headrace.app.standalone import Standalone, StandaloneOptions


@asynccontextmanager
async def cluster(directory: Path, **options: Any) -> AsyncIterator[Standalone]:
    """A running cluster in `directory`, which is removed at the end."""
    shutil.rmtree(directory, ignore_errors=True)
    standalone = Standalone(
        StandaloneOptions(data_dir=directory, port=0, **options), lambda text: None
    )
    await standalone.start()
    try:
        yield standalone
    finally:
        await standalone.stop()
        shutil.rmtree(directory, ignore_errors=True)


def pids(standalone: Standalone, without: str = "") -> dict[str, int | None]:
    """Process ids of those on the way of the rows, by name."""
    assert standalone.nats is not None
    on_the_way = [n for n in standalone.children if n.startswith(("proxy", "data-node"))]
    found = {name: standalone.pid_of(name) for name in on_the_way if name != without}
    return found | {"nats": standalone.nats.pid}
