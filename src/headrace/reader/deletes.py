"""Deletes: which rows of a file they hide (DL-2).

**Owns** the rule: a delete hides rows with its key and a timestamp strictly below its own. **Does
not own** which delta logs count (`reader.lists`) or how they are read (`reader.snapshot`).

Of each key only the latest delete matters. Keys are kept sorted, so that a file's part of them is
found by its key range, and rows are looked up by binary search (int64) or by Arrow's hash table
(varchar); nothing here loops over rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import KEY_COLUMN
from headrace.model.schema import TIMESTAMP_COLUMN
from headrace.model.segment import FileRef
from headrace.model.timestamp import Timestamp


@dataclass(frozen=True, slots=True)
class Deletes:
    """The latest delete of each key, sorted by key."""

    keys: pa.Array
    timestamps: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    def within(self, file: FileRef) -> "Deletes":
        """Those that may hide rows of a file, by its key range and its first timestamp."""
        first = 0 if file.min_key == "" else self._place(file.min_key, after=False)
        end = len(self) if file.max_key == "" else self._place(file.max_key, after=True)
        keys, timestamps = self.keys[first:end], self.timestamps[first:end]
        later = timestamps > file.first_timestamp
        if later.all():
            return Deletes(keys, timestamps)
        return Deletes(keys.filter(pa.array(later)), timestamps[later])

    def hide(self, keys: pa.Array, timestamps: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """For each row, whether a delete hides it."""
        if not len(self):
            return np.zeros(len(keys), dtype=np.bool_)
        if pa.types.is_integer(self.keys.type):
            own, values = self.keys.to_numpy(), keys.to_numpy()
            places = np.minimum(np.searchsorted(own, values), len(own) - 1)
            found = own[places] == values
        else:
            index = pc.index_in(keys, value_set=self.keys)
            places = pc.fill_null(index, 0).to_numpy(zero_copy_only=False)
            found = pc.is_valid(index).to_numpy(zero_copy_only=False)
        hidden: npt.NDArray[np.bool_] = found & (timestamps < self.timestamps[places])
        return hidden

    def _place(self, bound: str, *, after: bool) -> int:
        """How many keys lie below a bound of a file's key range (or at it, with `after`)."""
        key = int(bound) if pa.types.is_integer(self.keys.type) else bound
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            value = self.keys[middle].as_py()
            if value < key or (after and value == key):
                low = middle + 1
            else:
                high = middle
        return low


def latest(tables: list[pa.Table], key_type: pa.DataType, at: Timestamp) -> Deletes:
    """The deletes of delta logs at or below a timestamp, the latest of each key."""
    if not tables:
        return Deletes(pa.array([], key_type), np.zeros(0, dtype=np.int64))
    joined = pa.concat_tables(tables)
    joined = joined.filter(pc.less_equal(joined[TIMESTAMP_COLUMN], at))
    grouped = joined.group_by(KEY_COLUMN).aggregate([(TIMESTAMP_COLUMN, "max")])
    grouped = grouped.sort_by(KEY_COLUMN).combine_chunks()
    keys, timestamps = grouped[KEY_COLUMN], grouped[f"{TIMESTAMP_COLUMN}_max"]
    return Deletes(_one(keys, key_type), _one(timestamps, pa.int64()).to_numpy())


def _one(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], kind)])
    )
