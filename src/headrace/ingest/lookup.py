"""Looks up in the files which rows of a batch are stored, by a column that tells rows apart.

`upload` flushes before; then the files hold all that can ever be stored of the batch, since a
request first sent so long ago is not appended any more. A row counts as stored when the column has
its value in a row that was written after the batch was first sent; older rows of that key do not
count. What other clients write or delete under the same key since then can not be told apart.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

import headrace.reader
from headrace.model.errors import Invalid
from headrace.model.schema import TIMESTAMP_COLUMN
from headrace.model.timestamp import Timestamp
from headrace.objects.s3_access import S3Access


@dataclass(frozen=True, slots=True)
class Store:
    """Where a collection's files are."""

    uri: str
    access: S3Access | None = None


def absent(
    store: Store,
    collection_id: int,
    column: str,
    values: pa.Array,
    *,
    since: Timestamp,
    until: Timestamp,
) -> npt.NDArray[np.int64]:
    """Places of the values that no row written after `since` has. Blocks.

    `until` is a flush that is done: a store that does not reach it is not the collection's, which
    is `Invalid`.
    """
    found = np.zeros(len(values), np.bool_)
    snapshot = headrace.reader.open(store.uri, collection_id, access=store.access)
    if snapshot.timestamp < until:
        raise Invalid(
            f"the store {store.uri} is not that of the collection: it lacks what was just flushed"
        )
    for file in snapshot.files:
        if file.ref.last_timestamp <= since:
            continue
        for batch in file.batches([column, TIMESTAMP_COLUMN]):
            later = batch.filter(pc.greater(batch.column(TIMESTAMP_COLUMN), since))
            stored = later.column(column)
            if len(stored):
                found |= pc.is_in(values, value_set=stored).to_numpy(zero_copy_only=False)
    return np.flatnonzero(~found)


def runs_of(places: npt.NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    """Rising places as ranges (first, end)."""
    if len(places) == 0:
        return ()
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    return tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(places, breaks))


def places_of(runs: tuple[tuple[int, int], ...]) -> npt.NDArray[np.int64]:
    """The places that `runs_of` was given."""
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *(np.arange(first, end) for first, end in runs)])
