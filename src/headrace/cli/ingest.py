"""`headrace ingest`: the progress bar, Ctrl-C, and the words at the end."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from headrace.app import clusterfile
from headrace.ingest.lookup import Store
from headrace.ingest.options import DEFAULT_URI, Format, Options
from headrace.ingest.resume.journal import UploadJournal
from headrace.ingest.run import Ingest, SourceResult
from headrace.ingest.sources.source import RowSource
from headrace.ingest.upload import Listener
from headrace.model.errors import Invalid
from headrace.objects.s3_access import S3Access
from headrace.runtime.host import real_host

INTERRUPTED = 130  # as shells say it of Ctrl-C
LINE_S = 5.0  # between two lines of progress where there is no terminal
MB = 1_000_000


class Shown(Listener):
    """Progress on standard error: a bar on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._source: RowSource | None = None
        self._rows = self._bytes = self._before = 0
        self._began = self._told = 0.0

    def __enter__(self) -> "Shown":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def began(self, source: RowSource, journal: UploadJournal) -> None:
        self._source, self._before = source, journal.rows_done
        self._rows = self._bytes = 0
        self._began = self._told = time.monotonic()
        if self._task is not None:
            self._bar.remove_task(self._task)
        name = Path(source.name).name
        self._task = self._bar.add_task(name, total=source.size or None, told="")
        if source.bounded_by_rows:
            self._bar.update(self._task, completed=self._before)

    def acknowledged(self, rows: int, size_bytes: int, position: int) -> None:
        self._rows += rows
        self._bytes += size_bytes
        now = time.monotonic()
        assert self._source is not None and self._task is not None
        done = self._before + self._rows if self._source.bounded_by_rows else position
        self._bar.update(self._task, completed=done, told=self._figures(now))
        if self._bar.disable and now - self._told >= LINE_S:
            self._told = now
            self.note(f"{self._source.name}: {self._figures(now)}")

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _figures(self, now: float) -> str:
        seconds = max(1e-9, now - self._began)
        total = self._before + self._rows
        return f"{total:,} rows, {self._rows / seconds:,.0f} rows/s, " + (
            f"{_amount(self._bytes / seconds)}/s"
        )


def run_ingest(options: Options) -> int:
    """Run it; the exit status: 0 all rows stand or are set aside, 130 after Ctrl-C. Errors are
    raised; what was sent stands, and the same command goes on."""
    return asyncio.run(_run(options))


async def _run(options: Options) -> int:
    began = time.monotonic()
    with Shown() as shown:
        ingest = Ingest(options, real_host(), shown)
        signals = 0

        def interrupted() -> None:
            nonlocal signals
            signals += 1
            if signals > 1:
                os._exit(INTERRUPTED)  # nothing is lost: the journal stands
            shown.note("stopping: batches under way get a few seconds (Ctrl-C again: at once)")
            ingest.stop()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted)
        done = await ingest.run()
    _conclude(options, done, time.monotonic() - began)
    if signals:
        sys.stdout.flush()
        # Not by returning: a thread may be waiting for standard input, and would be waited for.
        os._exit(INTERRUPTED)
    return 0


def _conclude(options: Options, done: Sequence[SourceResult], seconds: float) -> None:
    for one in done:
        what = f"{one.rows:,} rows of {one.source}"
        if one.rejected:
            what += f" ({one.rejected:,} more are set aside in {options.skip_bad})"
        if not one.whole:
            sys.stdout.write(
                f"stopped: {what} stand in {options.collection!r}; the same command goes on from "
                f"there (journal: {one.journal})\n"
            )
            return
        sys.stdout.write(f"{what} stand in {options.collection!r}\n")
    rows, size = sum(d.rows_sent for d in done), sum(d.bytes_sent for d in done)
    if rows:
        sys.stdout.write(
            f"{rows:,} rows, {_amount(size)} in {seconds:,.1f} s: {rows / seconds:,.0f} "
            f"rows/s, {_amount(size / seconds)}/s\n"
        )


def _amount(size_bytes: float) -> str:
    return f"{size_bytes / MB:,.1f} MB" if size_bytes >= MB else f"{size_bytes / 1000:,.1f} kB"


def form_of(text: str | None) -> Format | None:
    """The format of that name; `Invalid` when there is none."""
    try:
        return None if text is None else Format(text)
    except ValueError:
        raise Invalid(f"--format {text}: the formats are {', '.join(Format)}") from None


def front_door(uri: str | None, data_dir: Path | None) -> str:
    """Where rows go: as said, else the first front door of a standalone cluster, else the usual."""
    if uri is not None:
        return uri
    if data_dir is not None:
        return f"http://{clusterfile.read(data_dir).front_doors[0]}"
    return DEFAULT_URI


def store_of(uri: str, data_dir: Path | None, store: str | None) -> Store | None:
    """Where the files are: as said, else those of the standalone cluster that is written to."""
    if store is not None and data_dir is not None:
        raise Invalid("name the store by --data-dir or by --store, not by both", field="store")
    if store is not None:
        return Store(store, _access(store, "", ""))
    directory = data_dir or clusterfile.DEFAULT_DIRECTORY
    if data_dir is None and not (directory / "cluster.json").exists():
        return None
    cluster = clusterfile.read(directory)
    if data_dir is None and urlsplit(uri).netloc not in cluster.front_doors:
        return None
    access = _access(cluster.store, cluster.store_endpoint, cluster.store_region)
    return Store(cluster.store, access)


def _access(uri: str, endpoint: str, region: str) -> S3Access | None:
    if not uri.startswith("s3://"):
        return None
    from headrace.app.settings import load  # half of this command's start

    found = load().objects.access()
    return replace(found, endpoint=found.endpoint or endpoint, region=found.region or region)
