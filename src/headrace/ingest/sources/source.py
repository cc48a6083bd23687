"""What every file is to an ingest: rows in pieces, with the columns of the collection."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import pyarrow as pa

from headrace.ingest.columns.convert import convert, plain
from headrace.ingest.faults import Fault, Faults
from headrace.model.errors import Invalid
from headrace.model.schema import RESERVED_COLUMNS, Field, Schema

HEAD_BYTES = 4 << 20  # of what is looked at before a collection is made
SAMPLE_ROWS = 1000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some rows of a source that follow each other.

    `columns` has the fields that the source brings, each with a value for every row, those with a
    fault included. `original(place)` is the row as the source has it, for people. `position` is
    how far the source was read when the piece was whole, in the unit of `RowSource.size`.
    """

    count: int
    columns: Mapping[str, pa.Array]
    faults: Faults
    original: Callable[[int], Any]
    position: int
    blank: frozenset[int] = field(default_factory=frozenset)  # places that hold nothing: no rows


class RowSource(Protocol):
    """A file, or standard input."""

    name: str  # for people
    size: int  # rows or bytes; 0 = not known
    bounded_by_rows: bool  # what `size` counts

    def fields(self, key: str | None = None) -> Sequence[Field]:
        """Fields of a collection that would hold it, none of them marked as the key, ids given in
        order. `key`: the column that is to be it."""

    def check(self, schema: Schema) -> None:
        """`Invalid` when its columns can not be those of the collection, whatever the rows are."""

    def try_first(self, schema: Schema) -> tuple[int, Faults]:
        """How many of the first rows were looked at, and those of them that do not fit; `read`
        brings them all the same. Blocks."""
        return tried(next(self.read(schema, 0), None), SAMPLE_ROWS)

    def read(self, schema: Schema, start: int) -> Iterator[Piece]:
        """Its rows from row `start` (the first is 0) on; the same each time. Blocks."""


def brings(schema: Schema) -> dict[str, Field]:
    """The fields that a source may have columns for: all but a key that is made."""
    return {f.name: f for f in schema.fields if not f.auto_id}


def check_names(source: str, names: Sequence[str], schema: Schema) -> None:
    """`Invalid` when a source with these columns lacks one or has one too many."""
    fields = brings(schema)
    for name in names:
        known = schema.field(name)
        if known is not None and known.auto_id:
            raise Invalid(
                f"{source} has a column {name!r}, but the collection makes this key itself: "
                "leave it out (--columns names those that are read)"
            )
        if name in RESERVED_COLUMNS or (known is None and schema.dynamic is None):
            raise Invalid(
                f"{source} has a column {name!r}, which the collection has no field for: "
                "leave it out (--columns names those that are read)"
            )
    for f in fields.values():
        if f.name not in names and not (f.nullable or f.has_default or f.dynamic):
            raise Invalid(
                f"{source} has no column {f.name!r}, which the collection needs; it has "
                + ", ".join(names)
            )


def chosen(source: str, columns: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """The wanted columns, None = all; `Invalid` when the source lacks one."""
    for name in wanted or ():
        if name not in columns:
            raise Invalid(f"{source} has no column {name!r}; it has {', '.join(columns)}")
    return list(columns if wanted is None else wanted)


class TextStream:
    """A source of lines: read once, from its beginning, whose first bytes are looked at before. A
    `size` of 0 is not known."""

    bounded_by_rows = False

    def __init__(
        self,
        name: str,
        stream: IO[bytes],
        size: int,
        columns: Sequence[str] | None,
        vectors: Sequence[str],
    ) -> None:
        self.name, self.size = name, size
        self._stream, self._columns, self._vectors = stream, columns, vectors
        self._head = stream.read(HEAD_BYTES).removeprefix(_BOM)
        self._short = len(self._head) < HEAD_BYTES  # so that the head is all there is

    def _first_lines(self) -> bytes:
        """The head without a line that is cut off at its end."""
        head = self._head
        return head if self._short or b"\n" not in head else head[: head.rindex(b"\n")]


def converted(
    schema: Schema,
    rows: pa.RecordBatch,
    read: Callable[[Field, Any], pa.Array],
    faults: Faults,
) -> tuple[dict[str, pa.Array], list[str]]:
    """Columns of a file as those of the collection, and the names that it has no field for. What
    does not fit is added to `faults`."""
    fields = brings(schema)
    columns: dict[str, pa.Array] = {}
    for name in rows.schema.names:
        if name in fields:
            columns[name], found = convert(fields[name], plain(rows.column(name)), read)
            first_faults(faults, found)
    return columns, [name for name in rows.schema.names if name not in fields]


def tried(piece: Piece | None, count: int) -> tuple[int, Faults]:
    """What `RowSource.try_first` says of the first `count` rows of a piece."""
    if piece is None:
        return 0, {}
    blank = piece.blank
    faults = {p: f for p, f in piece.faults.items() if p < count and p not in blank}
    return min(piece.count, count) - sum(p < count for p in blank), faults


def first_faults(faults: Faults, more: Mapping[int, Fault]) -> None:
    """Add faults of further columns; of a row the first stays."""
    for place, fault in more.items():
        faults.setdefault(place, fault)
