"""The demo from start to end: cluster, stream, kill, failover, flush, and the comparison."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from headrace.app.servers.s3 import S3Server
from headrace.app.standalone import Standalone, StandaloneOptions, temporary_directory
from headrace.cli.demo.corpus import Corpus, python_version
from headrace.cli.demo.report import Report
from headrace.cli.demo.stream import GATE, Stream
from headrace.cli.demo.verify import compare
from headrace.cli.demo.watch import Watcher
from headrace.meta.records import Role
from headrace.model.errors import HeadraceError
from headrace.objects.s3_access import S3Access
from headrace.reader import open as open_snapshot
from headrace.reader.snippets import duckdb_sql, polars_program, pyarrow_program

COLLECTION = "docstrings"
SYNC_BYTES = 8_000_000
FAILOVER_S_MAX = 60.0
WIDTH_WITHOUT_TERMINAL = 120


def run_demo(*, rows: int, data_dir: Path | None, object_store: str, json: bool) -> int:
    """Run it; the exit status."""
    console = Console(stderr=json, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=json, highlight=False, width=WIDTH_WITHOUT_TERMINAL)
    began = time.perf_counter()

    def say(text: str) -> None:
        console.print(f"[dim]{time.perf_counter() - began:6.1f} s[/dim]  {text}")

    directory = (data_dir or temporary_directory("headrace-demo-")).absolute()
    demo = Demo(rows, directory, object_store, console, say)
    try:
        report = asyncio.run(demo.run())
    except HeadraceError as error:
        sys.stderr.write(f"headrace: {error.message}\n")
        return 1
    for name, program in demo.programs.items():
        path = directory / name
        path.write_text(program + "\n")
        console.print(f"[bold]read them without Headrace: {path}[/bold]")
        console.print(program + "\n", markup=False, soft_wrap=True)
    report.table(console)
    programs = ", ".join(demo.programs)
    console.print(f"files:    {report.store}\nprograms: {programs} in {directory}")
    console.print(f"logs:     {directory / 'logs'}")
    if demo.s3 is not None:
        console.print("\n".join(_to_read_again(demo.s3)), markup=False, soft_wrap=True)
    if json:
        sys.stdout.write(orjson.dumps(report.as_dict()).decode() + "\n")
    verdict = "verified: every row exactly once" if report.exit_status == 0 else "NOT verified"
    console.print(f"\n{verdict}")
    return report.exit_status


def _to_read_again(server: S3Server) -> Iterator[str]:
    """The S3 server ends with the demo; its objects stay, and it can be started again."""
    access = server.access()
    yield f"the S3 server has ended too; to read its files again:\n    {server.start_again} &"
    yield (
        f"    export AWS_ENDPOINT_URL={access.endpoint} AWS_ACCESS_KEY_ID={access.access_key_id} "
        f"AWS_SECRET_ACCESS_KEY={access.secret_access_key} AWS_REGION=us-east-1"
    )


class Demo:
    """One run."""

    def __init__(
        self,
        rows: int,
        directory: Path,
        object_store: str,
        console: Console,
        say: Callable[[str], None],
    ) -> None:
        self.rows = rows
        self.directory = directory
        self.console = console
        self.say = say
        self.report = Report(rows=rows, data_dir=str(directory))
        self.programs: dict[str, str] = {}
        # Beside the cluster's directory: it runs on when the cluster has ended, for the reader.
        beside = directory.with_name(directory.name + "-s3")
        self.s3 = S3Server(beside) if object_store == "s3" else None
        self.access: S3Access | None = None
        self.cluster = self._cluster(object_store)

    def _cluster(self, object_store: str, *settings: str) -> Standalone:
        options = StandaloneOptions(
            data_dir=self.directory,
            port=0,
            data_nodes=2,
            object_store=object_store,
            settings=(f"data_node.sync_bytes={SYNC_BYTES}", *settings),
            restart_data_nodes=False,
        )
        return Standalone(options, self.say)

    async def run(self) -> Report:
        """The whole course; the cluster is stopped at the end, its directory stays."""
        if self.s3 is None:
            return await self._run()
        self.say("an S3 server (SeaweedFS) starts")
        await self.s3.start()
        try:
            self.access = self.s3.access()
            self.cluster = self._cluster(
                self.s3.uri,
                f"objects.endpoint={self.access.endpoint}",
                f"objects.access_key_id={self.access.access_key_id}",
                f"objects.secret_access_key={self.access.secret_access_key}",
            )
            return await self._run()
        finally:
            await self.s3.stop()

    async def _run(self) -> Report:
        self.say(f"a cluster starts in {self.directory}")
        await self.cluster.start()
        try:
            self.say(
                "etcd, NATS JetStream, master service, data service, 2 data nodes, proxy: ready"
            )
            await self._stream_and_kill()
        finally:
            await self.cluster.stop()
        self.say("all processes have ended; the files are read back")
        await asyncio.to_thread(self._verify)
        return self.report

    async def _stream_and_kill(self) -> None:
        self.say("docstrings are collected, their embeddings made")
        corpus = await asyncio.to_thread(Corpus)
        self.say(f"{len(corpus.texts):,} distinct docstrings of {python_version()}")
        self.corpus = corpus
        watcher = Watcher(self.cluster.etcd.endpoint, self.say)
        try:
            with self._progress() as progress:
                bar = progress.add_task("rows acknowledged", total=self.rows)
                self.stream = Stream(
                    f"http://{self.cluster.front_doors[0]}",
                    COLLECTION,
                    corpus,
                    self.rows,
                    lambda count: progress.advance(bar, count),
                )
                collection_id = await asyncio.to_thread(self.stream.create)
                self.say(f"collection {COLLECTION} has 2 shards")
                streaming = asyncio.create_task(asyncio.to_thread(self.stream.run))
                killing = asyncio.create_task(self._kill(watcher, collection_id))
                try:
                    await asyncio.gather(streaming, killing)
                finally:
                    self.stream.killed.set()
            self.report.acknowledged = self.stream.ledger.acknowledged
            self.report.insert_mb_s = self.stream.body_bytes / 1e6 / self.stream.insert_s
            self.say("flush")
            self.report.flush_s = await asyncio.to_thread(self.stream.flush)
            segments = await watcher.segments(collection_id)
            self.report.segments = len(segments)
            self.report.bytes = sum(s.size_bytes for s in segments)
            self.say(f"flushed in {self.report.flush_s:.2f} s: {len(segments)} segments")
        finally:
            await watcher.close()

    async def _kill(self, watcher: Watcher, collection_id: int) -> None:
        stream = self.stream
        node = await watcher.victim(collection_id, lambda: stream.sent >= GATE * self.rows)
        states = await watcher.channels(collection_id)
        lost = {c.vchannel for c in states.get(node, [])}
        held = sum(c.buffered_bytes for c in states.get(node, []))
        began = time.perf_counter()
        self.cluster.kill(node)
        self.report.kills += 1
        stream.killed.set()
        self.say(
            f"[bold red]{node} is killed (SIGKILL)[/bold red] after {stream.sent:,} rows, with "
            f"{held / 1e6:.1f} MB that are not stored"
        )
        async with asyncio.timeout(FAILOVER_S_MAX):
            successor = await watcher.taken_over(collection_id, lost, node)
        self.report.failover_s = time.perf_counter() - began
        self.say(
            f"{successor} has taken over {', '.join(sorted(lost))} after "
            f"{self.report.failover_s:.2f} s"
        )
        await self.cluster.start_role(Role.DATA_NODE, "data-node-3")
        self.say("data-node-3 starts")

    def _verify(self) -> None:
        snapshot = open_snapshot(self.cluster.store_uri, COLLECTION, access=self.access)
        store = self.report.store = self.cluster.store_uri
        self.programs = {
            "read_with_duckdb.sql": duckdb_sql(snapshot, store),
            "read_with_polars.py": polars_program(snapshot, store),
            "read_with_pyarrow.py": pyarrow_program(snapshot, store),
        }
        names = ["id", "module", "name", "text", "embedding"]
        with self._progress() as progress:
            bar = progress.add_task("rows compared", total=self.stream.ledger.expected)

            def counted() -> Iterator[pa.RecordBatch]:
                for batch in snapshot.to_batches(columns=names):
                    progress.advance(bar, batch.num_rows)
                    yield batch

            self.report.take(compare(self.corpus, self.stream.ledger, counted()))

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )
