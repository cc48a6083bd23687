"""The `headrace` command: what a user types, and nothing more.

Each command imports its part when it runs, so that `headrace --help` answers at once. Exit status:
0 done, 1 it went wrong (said in one line), 2 the call was wrong.
"""

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from headrace.cli import ingest_flags as flags
from headrace.model.errors import HeadraceError, Invalid

app = typer.Typer(
    name="headrace",
    help="The write path of a vector database: rows in through pymilvus, exactly once in your "
    "bucket.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
inspect_app = typer.Typer(help="Show what is stuck and why.", no_args_is_help=True)
config_app = typer.Typer(help="Show settings.", no_args_is_help=True)
app.add_typer(inspect_app, name="inspect")
app.add_typer(config_app, name="config")

DEFAULT_DATA_DIR = Path("headrace-data")
Config = Annotated[
    Path | None, typer.Option("--config", help="A TOML file with settings.", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, e.g. data_node.budget_bytes=1000.", metavar="A.B=C"),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help=f"The directory of a standalone cluster; else {DEFAULT_DATA_DIR}."
    ),
]
Etcd = Annotated[str | None, typer.Option("--etcd", help="host:port of the cluster's etcd.")]


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"headrace {version('headrace')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The write path of a vector database."""


@app.command()
def standalone(
    data_dir: Annotated[
        Path, typer.Option("--data-dir", help="Where everything is kept.")
    ] = DEFAULT_DATA_DIR,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the first proxy's front door; 0: any free.")
    ] = 19530,
    data_nodes: Annotated[int, typer.Option(min=1, help="How many.")] = 2,
    proxies: Annotated[int, typer.Option(min=1, help="How many; they take the next ports.")] = 1,
    object_store: Annotated[
        str, typer.Option(help="A URI such as s3://bucket/prefix; else DIR/store.")
    ] = "",
    config: Config = None,
    set_: Set = None,
) -> None:
    """Run a whole cluster on this machine: etcd, NATS and one process per role."""
    # Ctrl-C while the parts are imported waits until it can stop them in order.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    from headrace.app.standalone import StandaloneOptions, run_standalone

    options = StandaloneOptions(
        data_dir=data_dir,
        port=port,
        data_nodes=data_nodes,
        proxies=proxies,
        object_store=object_store,
        config=config,
        settings=tuple(set_ or ()),
    )
    raise typer.Exit(run_standalone(options))


@app.command()
def serve(
    role: Annotated[str, typer.Argument(help="master, data-service, data-node or proxy.")],
    config: Config = None,
    set_: Set = None,
) -> None:
    """Run one role of a cluster."""
    from headrace.app.process.run import serve as serve_role
    from headrace.app.settings import load
    from headrace.meta.records import Role

    roles = {"master": Role.MASTER_SERVICE} | {r.value: r for r in Role}
    if role not in roles:
        raise Invalid(f"{role!r} is no role; serve one of {', '.join(sorted(roles))}")
    raise typer.Exit(serve_role(roles[role], load(config, set_ or ())))


@app.command()
def demo(
    rows: Annotated[int, typer.Option(min=1000, help="How many rows to stream in.")] = 100_000,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where everything is kept; else a new one.")
    ] = None,
    object_store: Annotated[
        str, typer.Option(help="s3 starts an S3 server from its wheel; else local disk.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Stream real text in, kill a data node, verify every row in the files."""
    from headrace.cli.demo.run import run_demo

    raise typer.Exit(run_demo(rows=rows, data_dir=data_dir, object_store=object_store, json=json))


@app.command()
def scan(
    name: Annotated[str, typer.Argument(help="The collection.")],
    data_dir: DataDir = None,
    store: Annotated[str | None, typer.Option(help="URI of the object store.")] = None,
    format_: Annotated[
        str, typer.Option("--format", help="table, jsonl, parquet or count.")
    ] = "table",
    out: Annotated[Path | None, typer.Option(help="Where parquet files go.")] = None,
    at: Annotated[
        str | None, typer.Option(help="A hybrid timestamp or an ISO time; else the newest.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many rows.")] = None,
) -> None:
    """Read a collection from its files; no process needs to run."""
    from headrace.cli.scan import scan as run_scan

    run_scan(name, data_dir=data_dir, store=store, format=format_, out=out, at=at, limit=limit)


@app.command()
def ingest(
    files: flags.Files,
    collection: flags.Collection,
    uri: flags.Uri = None,
    data_dir: DataDir = None,
    store: flags.Store = None,
    token: flags.Token = "",
    partition: flags.Partition = "",
    create: flags.Create = False,
    key: flags.Key = None,
    vector: flags.Vectors = None,
    shards: flags.Shards = 0,
    columns: flags.Columns = None,
    key_column: flags.KeyColumn = None,
    first_key: flags.FirstKey = 0,
    format_: flags.Format = None,
    skip_bad: flags.SkipBad = None,
    journal: flags.Journal = None,
    flush: flags.Flush = False,
) -> None:
    """Load files, each row once: killed and started again, it goes on where it was."""
    from headrace.cli.ingest import form_of, front_door, run_ingest, store_of
    from headrace.ingest.options import Options

    where = front_door(uri, data_dir)
    options = Options(
        files=tuple(files),
        collection=collection,
        uri=where,
        token=token,
        partition=partition,
        create=create,
        key=key,
        shards=shards,
        vectors=tuple(vector or ()),
        columns=None if columns is None else tuple(columns.split(",")),
        key_column=key_column,
        first_key=first_key,
        format=form_of(format_),
        skip_bad=skip_bad,
        journal=journal,
        store=store_of(where, data_dir, store),
        flush=flush,
    )
    raise typer.Exit(run_ingest(options))


@app.command()
def status(data_dir: DataDir = None, etcd: Etcd = None) -> None:
    """Who runs, who leads, who watches what."""
    from headrace.cli.inspect import show_status

    raise typer.Exit(show_status(data_dir=data_dir, etcd=etcd))


def _add_inspection(topic: str, text: str) -> None:
    @inspect_app.command(topic, help=text)
    def _inspect(data_dir: DataDir = None, etcd: Etcd = None) -> None:
        from headrace.cli.inspect import show

        raise typer.Exit(show(topic, data_dir=data_dir, etcd=etcd))


_add_inspection("nodes", "The processes and their sessions.")
_add_inspection("channels", "Each vchannel: who watches it, under which epoch, how far it is.")
_add_inspection("segments", "Each segment: state, rows, bytes, files.")
_add_inspection("checkpoints", "Each channel checkpoint, its lag, and what holds it.")


@inspect_app.command("journal")
def inspect_journal(
    node: Annotated[str, typer.Argument(help="The process, as data-service-1.")] = "",
    data_dir: DataDir = None,
    etcd: Etcd = None,
    about: Annotated[str, typer.Option(help="Only steps that mention this.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write all of it to this file.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Step the machines of a file again.")] = None,
) -> None:
    """The last steps of a process's machines: events, their causes, effects."""
    from headrace.cli.journal import replay_file, show_journal

    if replay is not None:
        raise typer.Exit(replay_file(replay))
    if not node:
        raise typer.BadParameter("name a process, or a file with --replay")
    raise typer.Exit(show_journal(node, data_dir=data_dir, etcd=etcd, about=about, out=out))


@app.command()
def sim(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 100,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    trace: Annotated[bool, typer.Option("--trace", help="Print what happens.")] = False,
) -> None:
    """Run the whole cluster on virtual time with seeded faults; check every invariant."""
    from headrace.cli.sim import run_seeds

    raise typer.Exit(run_seeds(seeds=seeds, first=seed, trace=trace))


@config_app.command("show")
def config_show(config: Config = None, set_: Set = None) -> None:
    """Print all settings as they would be used, secrets left out."""
    from headrace.cli.config import show_settings

    raise typer.Exit(show_settings(config, set_ or ()))


def _leave(status: int) -> NoReturn:
    """End a process that may have had a bucket open, with what it has said.

    Without Python's own last steps: a thread of the bucket's client or of Arrow that asks for the
    interpreter while that is taken down ends the process by SIGABRT, whatever its status was to be.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):  # the reader has enough
            stream.flush()
    os._exit(status)


def main() -> None:
    """Entry point: an error of ours is one line, never a traceback."""
    try:
        app()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except HeadraceError as error:
        sys.stderr.write(f"headrace: {error.message}\n")
        status = 2 if isinstance(error, Invalid) else 1
    except KeyboardInterrupt:
        status = 130
    _leave(status)


if __name__ == "__main__":
    main()
