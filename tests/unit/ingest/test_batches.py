"""Batches: cut by bytes, independent of pieces, taken again as they were."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.ingest.batches import Batch, Batches, Limits
from headrace.ingest.faults import Fault
from headrace.ingest.sources.source import Piece
from headrace.model.schema import DataType, Field, Schema

SCHEMA = Schema(
    fields=(
        Field(id=100, name="id", type=DataType.INT64, primary=True),
        Field(id=101, name="t", type=DataType.VARCHAR, max_length=100),
        Field(id=102, name="v", type=DataType.FLOAT_VECTOR, dim=2),
    )
)
ROWS = 200


def pieces(cuts: list[int], bad: frozenset[int] = frozenset(), start: int = 0) -> Iterator[Piece]:
    """The same rows in pieces that end at these rows."""
    for first, end in zip([start, *cuts], [*cuts, ROWS], strict=True):
        ids = list(range(first, end))
        vectors = pa.array(np.repeat(np.array(ids, np.float32), 2))
        yield Piece(
            len(ids),
            {
                "id": pa.array(ids, pa.int64()),
                "t": pa.array(["x" * (i * 7 % 31) for i in ids], pa.string()),
                "v": pa.FixedSizeListArray.from_arrays(vectors, 2),
            },
            {i - first: Fault("t", "bad") for i in ids if i in bad},
            lambda place, first=first: first + place,  # type: ignore[misc]
            end,
        )


def all_of(batches: Batches) -> list[Batch]:
    found = []
    while (batch := batches.next()) is not None:
        found.append(batch)
    return found


CUTS = st.lists(st.integers(0, ROWS), max_size=6).map(sorted)


@given(CUTS, st.integers(1, 2000), st.integers(1, 60))
def test_batches_do_not_depend_on_pieces(cuts: list[int], size: int, rows: int) -> None:
    limits = Limits(size, rows)
    found = all_of(Batches(pieces(cuts), SCHEMA, limits))
    whole = all_of(Batches(pieces([]), SCHEMA, limits))
    assert [(b.first, b.rows) for b in found] == [(b.first, b.rows) for b in whole]
    assert [i for b in found for i in b.column("id").to_pylist()] == list(range(ROWS))
    assert all(b.rows <= rows for b in found)
    for batch, other in zip(found, whole, strict=True):
        assert [c.to_pylist() for c in batch.columns] == [c.to_pylist() for c in other.columns]
        own = sum(16 + 4 + i * 7 % 31 for i in batch.column("id").to_pylist())
        assert own <= size or batch.rows == 1


@given(CUTS, st.integers(0, 50))
def test_a_batch_is_taken_again_by_its_rows_alone(cuts: list[int], start: int) -> None:
    before = all_of(Batches(pieces([]), SCHEMA, Limits(700)))
    later = [c for c in cuts if c >= before[2].first]
    batches = Batches(pieces(later, start=before[2].first), SCHEMA, Limits(99), before[2].first)
    for wanted in before[2:6]:
        found = batches.next(wanted.rows)
        assert found is not None
        assert (found.first, found.rows) == (wanted.first, wanted.rows)
        assert found.column("id").to_pylist() == wanted.column("id").to_pylist()


def test_a_source_that_ends_early_gives_what_is_left() -> None:
    batches = Batches(pieces([]), SCHEMA, Limits(), 0)
    assert batches.next(150) is not None
    short = batches.next(100)
    assert short is not None and short.rows == 50
    assert batches.next(1) is None and batches.next() is None


@given(CUTS)
def test_rows_that_do_not_fit_are_left_out_and_named(cuts: list[int]) -> None:
    bad = frozenset({0, 3, 77, 199})
    found = all_of(Batches(pieces(cuts, bad), SCHEMA, Limits(700)))
    assert sum(b.rows for b in found) == ROWS
    kept = [i for b in found for i in b.column("id").to_pylist()]
    assert kept == [i for i in range(ROWS) if i not in bad]
    unfitting = [u for b in found for u in b.unfitting]
    assert [u.row for u in unfitting] == [u.original for u in unfitting] == sorted(bad)
    for batch in found:
        keys = batch.column("id").to_pylist()
        assert batch.count == len(keys)
        assert [batch.row_of(place) for place in range(batch.count)] == keys
