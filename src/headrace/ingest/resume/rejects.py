"""The file of `--skip-bad`: rows of a source that do not fit the collection, as JSON lines.

The journal has the file's length after each batch. So what a killed ingest wrote for a batch that
it did not journal is cut off, and each row stands in the file once.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from headrace.ingest.batches import Unfitting
from headrace.model.errors import Invalid, Unavailable


class Rejects:
    """The file, open for writing. `rows` counts those of this run."""

    def __init__(self, path: Path, size_bytes: int | None) -> None:
        """`size_bytes` is how much of it the journal knows of; None: it must not exist yet."""
        self.path = path
        self.rows = 0
        try:
            self._file = path.open("xb" if size_bytes is None else "ab")
        except FileExistsError:
            raise Invalid(already_there(path)) from None
        except OSError as error:
            raise Invalid(f"--skip-bad {path}: {error.strerror}") from error
        if size_bytes is not None:
            self._file.truncate(size_bytes)

    def write(self, source: str, rows: Sequence[Unfitting]) -> None:
        """Append rows, synced; rows count from 1 in it. Blocks."""
        lines = [_line(source, row) for row in rows]
        try:
            for line in lines:
                self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Unavailable(f"--skip-bad {self.path}: {error.strerror}") from error
        self.rows += len(rows)

    @property
    def size_bytes(self) -> int:
        return (
            self._file.tell() if self._file.mode == "xb" else os.fstat(self._file.fileno()).st_size
        )

    def close(self) -> None:
        self._file.close()


def already_there(path: Path) -> str:
    """What is said of a file that is not to be written over."""
    return f"--skip-bad {path}: the file exists already; name a new one"


def _line(source: str, row: Unfitting) -> bytes:
    line = {
        "file": source,
        "row": row.row + 1,
        "column": row.fault.column or None,
        "reason": row.fault.reason,
        "data": row.original,
    }
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(line, default=_spelt, option=options)


def _spelt(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
