"""From a path to a source.

**Owns** which reader a format has, and standard input. **Does not own** formats (`options`).
"""

import sys
from pathlib import Path
from typing import IO

from headrace.ingest.options import STANDARD_INPUT, Format, Options
from headrace.ingest.sources.csv import TextSource
from headrace.ingest.sources.jsonl import LineSource
from headrace.ingest.sources.npy import NumberSource
from headrace.ingest.sources.parquet import ParquetSource
from headrace.ingest.sources.source import Source
from headrace.model.errors import Invalid


def open_source(path: Path, options: Options) -> Source:
    """The source of a path, `-` being standard input; `Invalid` when it can not be read."""
    form = options.format_of(path)
    if path != STANDARD_INPUT and not path.is_file():
        raise Invalid(f"{path} is no file" if path.exists() else f"{path} does not exist")
    match form:
        case Format.PARQUET:
            return ParquetSource(path, options.columns, options.vectors)
        case Format.NPY:
            return NumberSource(path, options.first_key)
        case Format.JSONL | Format.CSV:
            name, stream, size = _stream(path)
            kind = LineSource if form == Format.JSONL else TextSource
            return kind(name, stream, size, options.columns, options.vectors)


def _stream(path: Path) -> tuple[str, IO[bytes], int]:
    if path == STANDARD_INPUT:
        return "standard input", sys.stdin.buffer, 0
    try:
        return str(path), path.open("rb"), path.stat().st_size
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
