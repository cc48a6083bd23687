"""`headrace scan`: the rows of a collection, read from the bucket alone."""

import datetime
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

import headrace.reader
from headrace.app import clusterfile
from headrace.binlog.columns import file_schema, in_file
from headrace.binlog.parquet.column_options import column_options
from headrace.model.errors import Invalid
from headrace.model.timestamp import iso_time, physical_ms
from headrace.objects.s3_access import DEFAULT_REGION, S3Access, endpoint_of, region_of
from headrace.reader import jsonl
from headrace.reader.snapshot import Snapshot

TABLE_ROWS = 20
_CELL_CHARACTERS = 48
_VECTOR_VALUES = 3


class OutputFormat(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    JSONL = "jsonl"
    PARQUET = "parquet"
    COUNT = "count"


def scan(
    name: str,
    *,
    data_dir: Path | None = None,
    store: str | None = None,
    format: str = OutputFormat.TABLE,  # noqa: A002 - the option's name
    out: Path | None = None,
    at: str | None = None,
    limit: int | None = None,
    output: IO[bytes] | None = None,
) -> None:
    """Print the rows of a collection, or write them below the directory `out`.

    The store is named by its URI or by a standalone cluster's data directory, which is
    `headrace-data` when neither is given; how to reach a bucket is taken from the settings
    (`HEADRACE_OBJECTS__ENDPOINT` and the like). `table` shows 20 rows unless `limit` says
    otherwise; `parquet` needs `out` and writes `NAME.parquet`, `jsonl` writes
    `NAME.jsonl` there; files are never overwritten. `Invalid` says which option is wrong.
    """
    form = _format(format)
    if limit is not None and limit < 0:
        raise Invalid(f"--limit {limit}: a number of rows is not negative", field="limit")
    if out is not None and form not in {OutputFormat.JSONL, OutputFormat.PARQUET}:
        raise Invalid(f"--out goes with jsonl and parquet, not with {form}", field="out")
    if out is None and form == OutputFormat.PARQUET:
        raise Invalid("--format parquet needs --out DIR", field="out")
    uri, endpoint, region = _store(data_dir, store)
    access = _access(uri, endpoint, region)
    snapshot = headrace.reader.open(uri, name, at=parse_time(at), access=access)
    stream = output or sys.stdout.buffer
    match form:
        case OutputFormat.COUNT:
            rows = snapshot.count()
            stream.write(f"{rows if limit is None else min(rows, limit)}\n".encode())
        case OutputFormat.TABLE:
            _print_table(snapshot, TABLE_ROWS if limit is None else limit, stream)
        case OutputFormat.JSONL:
            if out is None:
                _print_lines(snapshot, limit, stream)
            else:
                with _new_file(out, f"{snapshot.name}.jsonl") as file:
                    file.writelines(_lines(snapshot, limit))
        case OutputFormat.PARQUET:
            assert out is not None, "checked above"
            with _new_file(out, f"{snapshot.name}.parquet") as file:
                _write_parquet(snapshot, limit, file)
    stream.flush()
    sys.stderr.write(f"{_completeness(snapshot)}\n")


def parse_time(text: str | None) -> int | datetime.datetime | None:
    """`2026-11-23T15:04:05Z`, local without a zone, or a timestamp of Headrace's as a number."""
    if text is None:
        return None
    if text.isdecimal():
        return int(text)
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"--at {text}: a time is spelt 2026-11-23T15:04:05Z, or as a timestamp's number",
            field="at",
        ) from None


def _store(data_dir: Path | None, store: str | None) -> tuple[str, str, str]:
    if store is None:
        cluster = clusterfile.read(data_dir or clusterfile.DEFAULT_DIRECTORY)
        return cluster.store, cluster.store_endpoint, cluster.store_region
    if data_dir is not None:
        raise Invalid("name the store by --data-dir or by --store, not by both", field="store")
    return store, "", ""


def _access(uri: str, endpoint: str, region: str) -> S3Access | None:
    """How to reach a bucket, by the settings and the environment, then by what its cluster says;
    they are not asked for a directory."""
    if not uri.startswith("s3://"):
        return None
    from headrace.app.settings import load  # half of this command's start

    found = load().objects.access()
    return replace(
        found,
        endpoint=endpoint_of(found) or endpoint,
        region=region_of(found, default=region or DEFAULT_REGION),
    )


def _format(text: str) -> OutputFormat:
    try:
        return OutputFormat(text)
    except ValueError:
        known = ", ".join(OutputFormat)
        raise Invalid(f"--format {text}: the formats are {known}", field="format") from None


def _lines(snapshot: Snapshot, limit: int | None) -> Iterable[bytes]:
    for batch in snapshot.to_batches(limit=limit):
        yield from jsonl.lines(batch, snapshot.fields)


def _print_lines(snapshot: Snapshot, limit: int | None, stream: IO[bytes]) -> None:
    try:
        stream.writelines(_lines(snapshot, limit))
        stream.flush()
    except BrokenPipeError:  # `headrace scan ... | head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _write_parquet(snapshot: Snapshot, limit: int | None, file: IO[bytes]) -> None:
    names = snapshot.schema.names
    schema = pa.schema([file_schema(snapshot.fields).field(n) for n in names])
    kinds = [f.type for f in snapshot.fields.fields]
    options = column_options(snapshot.fields, names)
    with pq.ParquetWriter(
        file,
        schema,
        use_dictionary=[o.path for o in options if o.dictionary],
        write_statistics=[o.path for o in options if o.statistics],
        compression={o.path: o.compression for o in options},
    ) as writer:
        for batch in snapshot.to_batches(limit=limit):
            columns = [in_file(c, k) for c, k in zip(batch.columns, kinds, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _new_file(folder: Path, name: str) -> IO[bytes]:
    path, taken = (
        folder / name,
        f"--out {folder}: something in this path is a file; name a directory",
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = f"{path} exists already"
        return path.open("xb")
    except (FileExistsError, NotADirectoryError):
        raise Invalid(taken, field="out") from None
    except OSError as error:
        raise Invalid(f"--out {folder}: {error.strerror}", field="out") from error


def _print_table(snapshot: Snapshot, limit: int, stream: IO[bytes]) -> None:
    table = Table()
    for column in snapshot.schema.names:
        table.add_column(Text(column), overflow="fold")
    shown = 0
    for batch in snapshot.to_batches(limit=limit):
        columns = [
            _cells(in_file(c, f.type))
            for c, f in zip(batch.columns, snapshot.fields.fields, strict=True)
        ]
        shown += batch.num_rows
        for row in zip(*columns, strict=True):
            table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 160)
    with console.capture() as captured:
        console.print(table)
        console.print(Text(_below(snapshot, shown)))
    stream.write(captured.get().encode())


def _below(snapshot: Snapshot, shown: int) -> str:
    if physical_ms(snapshot.timestamp) == 0:  # the manifest that a collection begins with
        return "nothing is stored yet: flush it, or wait until its rows are stored by age"
    return f"{shown:,} of {snapshot.count():,} rows at {iso_time(snapshot.timestamp)}"


def _completeness(snapshot: Snapshot) -> str:
    """What rows written just now have to do with what was shown."""
    if physical_ms(snapshot.timestamp) == 0:
        return f"nothing of {snapshot.name!r} is stored yet: flush brings what was written to it"
    shown = f"{snapshot.name!r} as it was at {iso_time(snapshot.timestamp)}"
    if snapshot.timestamp < snapshot.found.manifest.timestamp:  # an earlier time was asked for
        return shown
    return f"{shown}: flush brings what came later"


def _cells(column: pa.Array) -> Sequence[str]:
    if pa.types.is_fixed_size_list(column.type):
        return [_vector_cell(value, column.type.list_size) for value in column]
    return [_cell(value) for value in column.to_pylist()]


def _vector_cell(value: pa.FixedSizeListScalar, width: int) -> str:
    if not value.is_valid:
        return ""
    first = ", ".join(f"{v:.4g}" for v in value.values[:_VECTOR_VALUES].to_pylist())
    return f"[{first}, … {width}]" if width > _VECTOR_VALUES else f"[{first}]"


def _cell(value: Any) -> str:
    """A value on one line, without what a terminal would obey."""
    if value is None:
        return ""
    text = "".join(c if c.isprintable() else " " for c in str(value)[: _CELL_CHARACTERS + 1])
    return text if len(text) <= _CELL_CHARACTERS else text[: _CELL_CHARACTERS - 1] + "…"
