"""Opens a path, or standard input, as a source of its format."""

import sys
from pathlib import Path
from typing import IO

from headrace.ingest.options import STANDARD_INPUT, Format, Options
from headrace.ingest.sources.csv import CsvSource
from headrace.ingest.sources.jsonl import JsonlSource
from headrace.ingest.sources.npy import NpySource
from headrace.ingest.sources.parquet import ParquetSource
from headrace.ingest.sources.source import RowSource
from headrace.model.errors import Invalid


def open_source(path: Path, options: Options) -> RowSource:
    """The source of a path, `-` being standard input; `Invalid` when it can not be read."""
    form = options.format_of(path)
    if path != STANDARD_INPUT and not path.is_file():
        raise Invalid(f"{path} is no file" if path.exists() else f"{path} does not exist")
    match form:
        case Format.PARQUET:
            return ParquetSource(path, options.columns, options.vectors)
        case Format.NPY:
            return NpySource(path, options.first_key)
        case Format.JSONL | Format.CSV:
            name, stream, size = _stream(path)
            kind = JsonlSource if form == Format.JSONL else CsvSource
            return kind(name, stream, size, options.columns, options.vectors)


def _stream(path: Path) -> tuple[str, IO[bytes], int]:
    if path == STANDARD_INPUT:
        return "standard input", sys.stdin.buffer, 0
    try:
        return str(path), path.open("rb"), path.stat().st_size
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
