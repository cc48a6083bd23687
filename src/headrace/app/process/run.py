"""One role in one process: settings in, a clean end out.

Exit status: 0 after a clean stop, 2 when a setting or the surroundings are wrong (said in one
line), 1 when the role died.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.app.edges import Edges, open_edges
from headrace.app.process.crash import crash_points_from
from headrace.app.process.imports import leave_out
from headrace.app.process.logs import make_logger
from headrace.app.process.memory import keep_pages
from headrace.app.process.metrics import MetricsServer
from headrace.app.settings import Settings
from headrace.app.wiring import make_role
from headrace.frame.service import RoleService
from headrace.frame.surroundings import Surroundings
from headrace.meta.keys import Keys
from headrace.meta.records import Role
from headrace.model.errors import HeadraceError, Invalid
from headrace.proxy.door.frontdoor import FrontDoor
from headrace.runtime.host import real_host
from headrace.runtime.race import race
from headrace.runtime.telemetry import Telemetry

PARENT_CHECK_S = 2.0


def serve(role: Role, settings: Settings) -> int:
    """Run a role until SIGTERM or SIGINT; the exit status."""
    leave_out()
    if role is Role.PROXY:
        keep_pages()
    name = settings.process.node_name or f"{role.value}-1"
    directory = Path(settings.process.log_dir) if settings.process.log_dir else None
    logger = make_logger(name, directory=directory, level=settings.process.log_level)
    telemetry = Telemetry(
        logger,
        kept_steps=settings.process.journal_steps,
        kept_values=settings.process.journal_values,
    )
    try:
        return asyncio.run(_serve(role, name, settings, telemetry))
    except Invalid as error:
        logger.error("cannot start", reason=error.message, field=error.field)
        print(f"headrace: {error.message}", file=sys.stderr)
        return 2
    except HeadraceError as error:
        logger.error("ended", reason=error.message, kind=type(error).__name__)
        print(f"headrace: {error.message}", file=sys.stderr)
        return 1


async def _serve(role: Role, name: str, settings: Settings, telemetry: Telemetry) -> int:
    stop = asyncio.Event()
    with _set_on_signals(stop):
        opening = asyncio.create_task(open_edges(settings, real_host(), telemetry))
        parent = asyncio.create_task(_set_without_parent(stop))
        try:
            await race(asyncio.wait([opening]), stop.wait())
            if opening.done():
                await _run(role, name, settings, telemetry, opening.result(), stop)
        except AssertionError as error:
            telemetry.log.error("we are wrong: the process ends", reason=str(error), exc_info=True)
            return 1
        finally:
            for task in (opening, parent):
                task.cancel()
        telemetry.log.info("stopped")
        return 0


async def _run(
    role: Role,
    name: str,
    settings: Settings,
    telemetry: Telemetry,
    edges: Edges,
    stop: asyncio.Event,
) -> None:
    """From edges that are open to edges that are closed."""
    host = real_host()
    try:
        process = make_role(
            role,
            Surroundings(
                settings=settings,
                node_name=name,
                host=host,
                telemetry=telemetry,
                keys=Keys(settings.etcd.root),
                meta=edges.meta,
                log=edges.log,
                objects=edges.objects,
                peers=edges.peers,
                server=edges.server,
                crash=crash_points_from(os.environ),
            ),
            door=lambda methods: FrontDoor(methods, settings.proxy, host, telemetry),
        )
        metrics = MetricsServer(
            telemetry.registry,
            lambda: process.healthy,
            host=settings.process.metrics_host,
            port=settings.process.metrics_port,
        )
        telemetry.log.info("starts", role=role.value, metrics=metrics.address)
        stopping = asyncio.create_task(_stop_when_set(stop, process))
        try:
            await process.run()
        finally:
            stopping.cancel()
            metrics.close()
    finally:
        await edges.close()


@contextlib.contextmanager
def _set_on_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _stop_when_set(stop: asyncio.Event, process: RoleService[Any]) -> None:
    await stop.wait()
    process.stop()


async def _set_without_parent(stop: asyncio.Event) -> None:
    """Where the kernel does not tell of the parent's death, look."""
    if not os.environ.get("HEADRACE_CHILD"):
        return
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(PARENT_CHECK_S)
    stop.set()
