"""JSON Lines as a source: one object a line, from a file or from standard input.

A line is taken apart into its fields, each left as the JSON that it is; then the values of one
field are decoded at once, by a decoder of the field's type. So a JSON field keeps the text that it
came with. What the collection has no field for goes into its dynamic field, if it has one. A row's
number is its line's.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

import msgspec
import orjson
import pyarrow as pa

from headrace.ingest.columns.convert import as_json, convert
from headrace.ingest.columns.json_columns import NULL, read_json_values
from headrace.ingest.columns.made_schema import likely_fields
from headrace.ingest.columns.majority import majority_integers, majority_vectors
from headrace.ingest.faults import Fault, Faults
from headrace.ingest.sources.source import (
    SAMPLE_ROWS,
    Piece,
    TextStream,
    brings,
    first_faults,
    tried,
)
from headrace.model.errors import Invalid
from headrace.model.schema import DYNAMIC_FIELD, RESERVED_COLUMNS, Field, Schema

PIECE_BYTES = 4 << 20
PIECE_ROWS_MAX = 1 << 14
LINE_BYTES_MAX = 64 << 20  # a request has no more
_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonlSource(TextStream):
    """A `RowSource`."""

    def fields(self, key: str | None = None) -> Sequence[Field]:
        """By what stands in the first lines."""
        rows = []
        for line in self._sampled():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # which is said when its turn comes
            if isinstance(row, dict):
                rows.append({k: v for k, v in row.items() if self._reads(k)})
        if not rows:
            raise Invalid(f"{self.name} has no JSON objects, one a line, to make a collection from")

        def sample(majority: bool) -> pa.RecordBatch:
            return _sample(rows, None if majority else self._vectors, key)

        return likely_fields(self.name, sample, self._vectors)

    def check(self, schema: Schema) -> None:
        """Every line has columns of its own, so nothing can be said before."""

    def try_first(self, schema: Schema) -> tuple[int, Faults]:
        return tried(self._piece(schema, self._sampled(), 0), SAMPLE_ROWS)

    def read(self, schema: Schema, start: int) -> Iterator[Piece]:
        seen = 0
        for lines, position in self._pieces():
            seen += len(lines)
            if seen <= start:
                continue
            wanted = lines[max(0, start - seen + len(lines)) :]
            yield self._piece(schema, wanted, position)

    def _sampled(self) -> list[bytes]:
        return self._first_lines().split(b"\n")[:SAMPLE_ROWS]

    def _reads(self, name: str) -> bool:
        return self._columns is None or name in self._columns

    def _pieces(self) -> Iterator[tuple[list[bytes], int]]:
        """Lines in pieces that only depend on what is read, and the bytes up to their end."""
        rest, position, row = b"", 0, 0
        block = self._head
        while block:
            position += len(block)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            if len(rest) > LINE_BYTES_MAX:
                raise Invalid(
                    f"{self.name}, row {row + len(lines) + 1:,}: a line of more than "
                    f"{LINE_BYTES_MAX >> 20} MB"
                )
            row += len(lines)
            for first in range(0, len(lines), PIECE_ROWS_MAX):
                yield lines[first : first + PIECE_ROWS_MAX], position
            block = self._stream.read(PIECE_BYTES)
        if rest:
            yield [rest], position

    def _piece(self, schema: Schema, lines: list[bytes], position: int) -> Piece:
        fields = brings(schema)
        fixed = frozenset(f.name for f in fields.values() if not f.dynamic)
        faults: Faults = {}
        blank, rows = set(), []
        for place, line in enumerate(lines):
            row: dict[str, msgspec.Raw] = {}
            if not line.strip():
                blank.add(place)
            else:
                try:
                    found_row = _ROW.decode(line)
                    if not line.isascii():
                        line.decode()  # values that are passed on raw were not looked at
                    row = found_row
                except UnicodeDecodeError:
                    faults[place] = Fault("", "the line is not UTF-8")
                except (msgspec.DecodeError, RecursionError) as error:
                    faults[place] = Fault("", f"the line is no JSON object: {error}")
            rows.append(row)
        for place in blank:
            faults[place] = Fault("", "a blank line")
        columns: dict[str, pa.Array] = {}
        for name, field in fields.items():
            if not field.dynamic and self._reads(name):
                values = [bytes(row.get(name, NULL)) for row in rows]
                columns[name], found = convert(field, values, read_json_values)
                first_faults(faults, found)
        refused = {DYNAMIC_FIELD: "the name is reserved"}
        refused |= dict.fromkeys(RESERVED_COLUMNS, "the name is reserved")
        if schema.key.auto_id:
            refused[schema.key.name] = "the collection makes this key itself"
        for place, row in enumerate(rows):
            if not fixed.issuperset(row):
                self._find_unknown(schema, place, row.keys() - fixed, refused, faults)
        if schema.dynamic is not None:
            columns[DYNAMIC_FIELD] = self._dynamic(rows, fixed)
        original = partial(_original, lines)
        return Piece(len(lines), columns, faults, original, position, frozenset(blank))

    def _dynamic(self, rows: Sequence[Mapping[str, Any]], fixed: frozenset[str]) -> pa.Array:
        texts = []
        for row in rows:
            extra = {k: v for k, v in row.items() if k not in fixed and self._reads(k)}
            texts.append(msgspec.json.encode(extra).decode() if extra else "{}")
        return pa.array(texts, pa.string())

    def _find_unknown(
        self,
        schema: Schema,
        place: int,
        names: AbstractSet[str],
        refused: Mapping[str, str],
        faults: Faults,
    ) -> None:
        for name in sorted(filter(self._reads, names)):
            if name in refused:
                faults.setdefault(place, Fault(name, refused[name]))
            elif schema.dynamic is None:
                faults.setdefault(place, Fault(name, "the collection has no such field"))


def _original(lines: Sequence[bytes], place: int) -> Any:
    try:
        return orjson.loads(lines[place])
    except orjson.JSONDecodeError:
        return lines[place].decode(errors="replace")


def _sample(
    rows: Sequence[Mapping[str, Any]], vectors: Sequence[str] | None, key: str | None
) -> pa.RecordBatch:
    """The rows with Arrow's types; what has no single one is JSON text of a struct type. In
    `vectors`, None = all, a few values may be no vectors, and some may be no key."""
    arrays = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        likely = None
        if name == key:
            likely = majority_integers(values)
        elif vectors is None or name in vectors:
            likely = majority_vectors(values)
        arrays[name] = _guessed(values if likely is None else likely)
    known = {n: a for n, a in arrays.items() if not pa.types.is_null(a.type)}
    return pa.RecordBatch.from_arrays(list(known.values()), names=list(known))


def _guessed(values: list[Any]) -> pa.Array:
    if any(isinstance(value, dict) for value in values):
        sparse = all(_is_sparse(value) for value in values)
        kind = pa.map_(pa.int64(), pa.float64()) if sparse else pa.struct([("any", pa.string())])
        return pa.nulls(len(values), kind)
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        texts = [None if value is None else {"any": as_json(value)} for value in values]
        return pa.array(texts, pa.struct([("any", pa.string())]))


def _is_sparse(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(key.isdecimal() for key in value)
        and all(isinstance(number, float) for number in value.values())
    )
