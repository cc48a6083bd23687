"""Cuts the rows of a source into batches, anew or as they were cut before.

A new batch takes rows up to a number of bytes. A batch that is in the journal is taken again by its
number of rows, so that neither another limit nor another release cuts it in another way.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.ingest.faults import Fault
from headrace.ingest.sources.source import Piece
from headrace.model.schema import Field, Schema
from headrace.proxy.write.cut import sizes_of


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one batch."""

    size_bytes: int = 4_000_000  # of row bodies; one row is taken, whatever its size
    rows: int = 20_000


@dataclass(frozen=True, slots=True)
class Unfitting:
    """A row of a batch that does not fit. `row` counts from 0 in the source."""

    row: int
    fault: Fault
    original: Any


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """`rows` rows of the source from `first` on; `columns` hold those that fit, `count` of them."""

    first: int
    rows: int
    count: int
    fields: tuple[Field, ...]
    columns: tuple[pa.Array, ...]
    unfitting: tuple[Unfitting, ...]
    position: int
    kept: npt.NDArray[np.bool_] = field(repr=False)  # which of the rows fit

    def row_of(self, place: int) -> int:
        """The row in the source, from 0, of a row that fits, by its place in the columns."""
        return self.first + int(np.flatnonzero(self.kept)[place])

    def column(self, name: str) -> pa.Array:
        """The column of a field; `KeyError` when the source brings none."""
        return dict(zip((f.name for f in self.fields), self.columns, strict=True))[name]


class _Held:
    """A piece of which the first rows may be taken already."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.taken = 0

    @property
    def left(self) -> int:
        return self.piece.count - self.taken

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        sizes = sizes_of(list(self.piece.columns.values()))
        ends: npt.NDArray[np.int64] = np.cumsum(sizes.of(np.arange(self.piece.count)))
        return ends

    def rows_within(self, size_bytes: int) -> tuple[int, int]:
        """How many of the rows left have at most so many bytes, and how many they have."""
        before = int(self.ends[self.taken - 1]) if self.taken else 0
        end = int(np.searchsorted(self.ends, before + size_bytes, side="right"))
        used = int(self.ends[end - 1]) - before if end > self.taken else 0
        return end - self.taken, used


class Batches:
    """Cuts what `pieces` brings; the first row of it is row `start` of the source."""

    def __init__(
        self, pieces: Iterator[Piece], schema: Schema, limits: Limits, start: int = 0
    ) -> None:
        self._pieces = pieces
        self._schema = schema
        self._limits = limits
        self._held: deque[_Held] = deque()
        self.row = start  # the first of the next batch

    def next(self, rows: int | None = None) -> Batch | None:
        """The next batch, of so many rows if given; None when no row is left."""
        count = self._new_cut() if rows is None else self._have(rows)
        return self._take(count) if count else None

    def _have(self, rows: int) -> int:
        """Read until so many rows are held; how many there are."""
        held = sum(h.left for h in self._held)
        while held < rows and self._read():
            held += self._held[-1].left
        return min(rows, held)

    def _new_cut(self) -> int:
        count, left = 0, self._limits.size_bytes
        number = 0
        while number < len(self._held) or self._read():
            held = self._held[number]
            rows, used = held.rows_within(left)
            rows = min(rows, self._limits.rows - count)
            count, left = count + rows, left - used
            if rows < held.left:
                return max(1, count)
            number += 1
        return count

    def _read(self) -> bool:
        for piece in self._pieces:
            if piece.count:
                self._held.append(_Held(piece))
                return True
        return False

    def _take(self, rows: int) -> Batch:
        parts: list[tuple[_Held, int, int]] = []
        left = rows
        while left:
            held = self._held[0]
            count = min(left, held.left)
            parts.append((held, held.taken, held.taken + count))
            held.taken += count
            left -= count
            if not held.left:
                self._held.popleft()
        unfitting: list[Unfitting] = []
        keep = np.ones(rows, np.bool_)
        place = 0
        for held, start, end in parts:
            for at in sorted(p for p in held.piece.faults if start <= p < end):
                keep[place + at - start] = False
                if at not in held.piece.blank:
                    row = self.row + place + at - start
                    fault = held.piece.faults[at]
                    unfitting.append(Unfitting(row, fault, held.piece.original(at)))
            place += end - start
        first, self.row = self.row, self.row + rows
        names = [f for f in self._schema.fields if f.name in parts[0][0].piece.columns]
        columns = [_joined(parts, f.name, keep) for f in names]
        count = int(keep.sum())
        position = parts[-1][0].piece.position
        return Batch(
            first, rows, count, tuple(names), tuple(columns), tuple(unfitting), position, keep
        )


def _joined(
    parts: Sequence[tuple[_Held, int, int]], name: str, keep: npt.NDArray[np.bool_]
) -> pa.Array:
    slices = [held.piece.columns[name].slice(start, end - start) for held, start, end in parts]
    whole = slices[0] if len(slices) == 1 else pa.concat_arrays(slices)
    return whole if keep.all() else whole.filter(pa.array(keep))
