"""CSV as a source: a header line, then rows, from a file or from standard input.

Every cell is read as text and then converted by its field, so a bad cell costs its row only. An
empty cell is null, a quoted empty one is an empty text. Vectors, arrays and JSON are JSON in their
cells: `"[0.1, 0.2]"`. Rows count from the line after the header; a quoted cell may span lines.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import IO, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from headrace.ingest.columns.convert import as_json, check_json, read_column
from headrace.ingest.columns.json_columns import NULL, read_json_values
from headrace.ingest.columns.made_schema import likely_fields
from headrace.ingest.columns.majority import majority_integers, majority_vectors
from headrace.ingest.faults import Fault, Faults
from headrace.ingest.sources.source import (
    SAMPLE_ROWS,
    Piece,
    TextStream,
    check_names,
    chosen,
    converted,
    tried,
)
from headrace.model.errors import Invalid
from headrace.model.schema import DYNAMIC_FIELD, DataType, Field, Schema

BLOCK_BYTES = 4 << 20
_PLAIN = frozenset({DataType.VARCHAR, DataType.JSON})
_TEXT = pa.string()
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_HEADER_RECORDS = 2  # the number that the parser gives to the first row


class _Whole(io.RawIOBase):
    """What was read for a look at it, and then the rest."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest
        self.position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size is None or size < 0:
            found, self._head = self._head + self._rest.read(), b""
        elif self._head:
            found, self._head = self._head[:size], self._head[size:]
        else:
            found = self._rest.read(size)
        self.position += len(found)
        return found


class CsvSource(TextStream):
    """A `RowSource`."""

    def __init__(
        self,
        name: str,
        stream: IO[bytes],
        size: int,
        columns: Sequence[str] | None,
        vectors: Sequence[str],
    ) -> None:
        super().__init__(name, stream, size, columns, vectors)
        self._input = _Whole(self._head, stream)
        self._header = self._names()
        self._read = chosen(name, self._header, columns)

    def _names(self) -> list[str]:
        line = self._head.partition(b"\n")[0]
        try:
            names: list[str] = pacsv.read_csv(io.BytesIO(line + b"\n")).schema.names
        except pa.ArrowInvalid as error:
            raise Invalid(f"{self.name} cannot be read as CSV: {error}") from error
        twice = [n for n in names if names.count(n) > 1]
        if twice or "" in names:
            what = f"column {twice[0]!r} twice" if twice else "a column without a name"
            raise Invalid(f"{self.name} has {what} in its first line")
        return names

    def fields(self, key: str | None = None) -> Sequence[Field]:
        """By what stands in the first rows."""
        head = self._first_lines()
        self._check_utf8(head)
        guessed, cells = self._look(head, {}), self._look(head, dict.fromkeys(self._read, _TEXT))
        if not guessed.num_rows:
            raise Invalid(f"{self.name} has no rows to make a collection from")

        def sample(majority: bool) -> pa.RecordBatch:
            arrays = []
            for name in guessed.schema.names:
                column, likely = guessed.column(name).combine_chunks(), None
                if name == key:
                    likely = majority_integers(_whole(cells.column(name).to_pylist()))
                elif majority or name in self._vectors:
                    likely = majority_vectors(_decoded(cells.column(name).to_pylist()))
                arrays.append(_guessed(column) if likely is None else pa.array(likely))
            return pa.RecordBatch.from_arrays(arrays, names=guessed.schema.names)

        return likely_fields(self.name, sample, self._vectors)

    def _look(self, head: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
        """The first rows, by Arrow's guesses where no type is said."""
        try:
            table = pacsv.read_csv(
                io.BytesIO(head),
                parse_options=pacsv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=lambda _: "skip"
                ),
                convert_options=pacsv.ConvertOptions(column_types=types),
            )
        except pa.ArrowInvalid as error:
            raise Invalid(f"{self.name} cannot be read as CSV: {error}") from error
        return table.select(self._read).slice(0, SAMPLE_ROWS)

    def _check_utf8(self, head: bytes) -> None:
        try:
            head.decode()
        except UnicodeDecodeError as error:
            line = head.count(b"\n", 0, error.start) + 1
            raise Invalid(
                f"{self.name}, line {line:,}: the text is not UTF-8 (byte "
                f"0x{head[error.start]:02x}); convert the file to UTF-8 first"
            ) from None

    def check(self, schema: Schema) -> None:
        check_names(self.name, self._read, schema)

    def try_first(self, schema: Schema) -> tuple[int, Faults]:
        head = self._head
        again = CsvSource(self.name, io.BytesIO(head), 0, self._read, self._vectors)
        piece = next(again.read(schema, 0), None)
        last = 0 if piece is None else piece.count - (not self._short)  # which may have been cut
        return tried(piece, min(SAMPLE_ROWS, last))

    def read(self, schema: Schema, start: int) -> Iterator[Piece]:
        first = 0
        for rows, invalid, position in self._blocks():
            count = rows.num_rows + len(invalid)
            if first + count > start:
                piece = self._piece(schema, rows, invalid, position)
                yield _from(piece, max(0, start - first))
            first += count

    def _blocks(self) -> Iterator[tuple[pa.RecordBatch, dict[int, str], int]]:
        """Rows as they were parsed, and those of the wrong width, by place among all of a block."""
        invalid: dict[int, str] = {}

        def handle(row: pacsv.InvalidRow) -> str:
            reason = f"{row.actual_columns} cells, but the first line names {row.expected_columns}"
            invalid[row.number - _HEADER_RECORDS] = reason
            return "skip"

        first = 0
        try:
            for rows in self._parsed(handle):
                count = _extent(rows.num_rows, first, invalid)
                found = {r - first: invalid.pop(r) for r in sorted(invalid) if r < first + count}
                yield rows, found, self._input.position
                first += count
        except pa.ArrowInvalid as error:
            raise Invalid(f"{self.name}, after row {first:,}: {error}") from error
        if invalid:
            none = pa.RecordBatch.from_pylist([], pa.schema([(c, pa.string()) for c in self._read]))
            yield none, {r - first: reason for r, reason in invalid.items()}, self._input.position

    def _parsed(self, handle: Any) -> Iterator[pa.RecordBatch]:
        try:
            yield from pacsv.open_csv(
                pa.PythonFile(self._input, "r"),
                # One thread: rows of the wrong width have their numbers, and batches their cuts.
                read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
                parse_options=pacsv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=handle, ignore_empty_lines=False
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(self._header, pa.binary()),
                    include_columns=self._read,
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    null_values=[""],
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" not in str(error):
                raise

    def _piece(
        self, schema: Schema, rows: pa.RecordBatch, invalid: Mapping[int, str], position: int
    ) -> Piece:
        count = rows.num_rows + len(invalid)
        faults: Faults = {place: Fault("", reason) for place, reason in invalid.items()}
        places = np.setdiff1d(np.arange(count), np.fromiter(invalid, np.int64, len(invalid)))
        rows = _spread(rows, places, count)
        empty = np.logical_and.reduce([c.is_null().to_numpy(False) for c in rows.columns])
        blank = frozenset(int(p) for p in np.flatnonzero(empty) if int(p) not in invalid)
        for place in blank:
            faults[place] = Fault("", "an empty row")
        columns, extra = converted(schema, rows, _read_cells, faults)
        if extra:
            columns[DYNAMIC_FIELD] = _dynamic(rows.select(extra))
        return Piece(count, columns, faults, partial(_original, rows), position, blank)


def _extent(valid: int, first: int, invalid: Mapping[int, str]) -> int:
    """How many rows from `first` on hold so many valid ones, up to the last of these."""
    count, left = valid, sorted(r for r in invalid if r >= first)
    for row in left:
        if row < first + count:
            count += 1
    return count


def _spread(rows: pa.RecordBatch, places: Any, count: int) -> pa.RecordBatch:
    """The rows at their places among all, nulls between them."""
    if rows.num_rows == count:
        return rows
    indices = np.zeros(count, np.int64)
    absent = np.ones(count, np.bool_)
    indices[places], absent[places] = np.arange(rows.num_rows), False
    return rows.take(pa.array(indices, mask=absent))


def _from(piece: Piece, start: int) -> Piece:
    if start == 0:
        return piece
    return Piece(
        piece.count - start,
        {name: column.slice(start) for name, column in piece.columns.items()},
        {place - start: fault for place, fault in piece.faults.items() if place >= start},
        lambda place: piece.original(place + start),
        piece.position,
        frozenset(place - start for place in piece.blank if place >= start),
    )


def _read_cells(field: Field, cells: pa.Array) -> pa.Array:
    if field.type in _PLAIN:
        return read_column(field, cells.view(pa.string()))
    if field.type.is_vector or field.type == DataType.ARRAY:
        values = [NULL if cell is None else cell for cell in cells.to_pylist()]
        check_json(field, values)
        return read_json_values(field, values)
    texts = cells.view(pa.string())
    if field.type == DataType.BOOL:
        texts = pc.utf8_lower(texts)
        return read_column(field, pc.cast(texts, pa.bool_()))
    whole = field.type not in (DataType.FLOAT, DataType.DOUBLE)
    return read_column(field, pc.cast(texts, pa.int64() if whole else pa.float64()))


def _dynamic(rows: pa.RecordBatch) -> pa.Array:
    """Cells that the collection has no field for, as texts; empty ones are left out."""
    texts = [
        as_json({k: v.decode(errors="replace") for k, v in row.items() if v is not None})
        for row in rows.to_pylist()
    ]
    return pa.array(texts, pa.string())


def _original(rows: pa.RecordBatch, place: int) -> Any:
    row = rows.slice(place, 1).to_pylist()[0]
    return {k: None if v is None else v.decode(errors="replace") for k, v in row.items()}


def _decoded(cells: Sequence[str | None]) -> list[Any]:
    """Cells as the JSON that they are, None where they are none."""
    values: list[Any] = []
    for cell in cells:
        try:
            values.append(None if cell is None else msgspec.json.decode(cell))
        except (msgspec.DecodeError, RecursionError):
            values.append(None)
    return values


def _whole(cells: Sequence[str | None]) -> list[int | None]:
    """Cells as the whole numbers that they are, None where they are none."""
    return [int(c) if c is not None and _WHOLE.fullmatch(c) else None for c in cells]


def _guessed(column: pa.Array) -> pa.Array:
    """Cells that are JSON lists in all rows, as lists; a column without any cell is of texts."""
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    if not pa.types.is_string(column.type) or len(column) == 0:
        return column
    try:
        cells = [None if c is None else msgspec.json.decode(c) for c in column.to_pylist()]
        lists = all(c is None or isinstance(c, list) for c in cells)
        return pa.array(cells) if lists else column
    except (msgspec.DecodeError, pa.ArrowInvalid, pa.ArrowTypeError):
        return column
