"""What every file is to an ingest: rows in pieces, with the columns of the collection.

**Owns** the port and the pieces. **Does not own** the files' formats (`parquet`, `lines`, `texts`,
`numbers`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from headrace.ingest.faults import Fault, Faults
from headrace.model.errors import Invalid
from headrace.model.schema import RESERVED_COLUMNS, Field, Schema


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some rows of a source that follow each other.

    `columns` has the fields that the source brings, each with a value for every row, those with a
    fault included. `original(place)` is the row as the source has it, for people. `position` is
    how far the source was read when the piece was whole, in the unit of `Source.size`.
    """

    count: int
    columns: Mapping[str, pa.Array]
    faults: Faults
    original: Callable[[int], Any]
    position: int
    blank: frozenset[int] = field(default_factory=frozenset)  # places that hold nothing: no rows


class Source(Protocol):
    """A file, or what comes in."""

    name: str  # for people
    size: int  # rows or bytes; 0 = not known
    bounded_by_rows: bool  # what `size` counts

    def fields(self, key: str | None = None) -> Sequence[Field]:
        """Fields of a collection that would hold it, none of them marked as the key, ids given in
        order. `key`: the column that is to be it."""
        ...

    def check(self, schema: Schema) -> None:
        """`Invalid` when its columns can not be those of the collection, whatever the rows are."""
        ...

    def try_first(self, schema: Schema) -> tuple[int, Faults]:
        """How many of the first rows were looked at, and those of them that do not fit; `read`
        brings them all the same. Blocks."""
        ...

    def read(self, schema: Schema, start: int) -> Iterator[Piece]:
        """Its rows from row `start` (the first is 0) on; the same each time. Blocks."""
        ...


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


def tried(piece: Piece | None, count: int) -> tuple[int, Faults]:
    """What `Source.try_first` says of the first `count` rows of a piece."""
    if piece is None:
        return 0, {}
    blank = piece.blank
    faults = {p: f for p, f in piece.faults.items() if p < count and p not in blank}
    return min(piece.count, count) - sum(p < count for p in blank), faults


def first_faults(faults: Faults, more: Mapping[int, Fault]) -> None:
    """Add faults of further columns; of a row the first stays."""
    for place, fault in more.items():
        faults.setdefault(place, fault)
