"""Deletes: which rows of a file they hide (DL-2).

A delete hides rows with its key and a timestamp strictly below its own, those of its partition or
of all. Of each key only the latest delete matters, in each partition. Keys are kept sorted, so that
the part of them that a file needs is found by its key range, and rows are looked up by binary
search (int64) or by Arrow's hash table (varchar); nothing here loops over rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import KEY_COLUMN
from headrace.binlog.delta_log import PARTITION_COLUMN
from headrace.model.ids import ALL_PARTITIONS, PartitionId
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


class AllDeletes:
    """The deletes of a snapshot, asked for by partition: of delta logs, at or below a timestamp."""

    def __init__(self, tables: list[pa.Table], key_type: pa.DataType, at: Timestamp) -> None:
        self._key_type = key_type
        self._everywhere = Deletes(pa.array([], key_type), np.zeros(0, dtype=np.int64))
        self._each: pa.Table | None = None  # the latest of each key and partition, if any has one
        self._found: dict[PartitionId, Deletes] = {}
        if not tables:
            return
        joined = pa.concat_tables(tables)
        joined = joined.filter(pc.less_equal(joined[TIMESTAMP_COLUMN], at))
        if pc.all(pc.equal(joined[PARTITION_COLUMN], ALL_PARTITIONS)).as_py() is False:
            self._each = _latest(joined, [KEY_COLUMN, PARTITION_COLUMN])
        else:
            self._everywhere = self._sorted(joined)

    @property
    def name_partitions(self) -> bool:
        return self._each is not None

    def of(self, partition_id: PartitionId) -> Deletes:
        """Those that may hide rows of a partition."""
        if self._each is None:
            return self._everywhere
        if partition_id not in self._found:
            where = self._each[PARTITION_COLUMN]
            here = pc.is_in(where, pa.array([ALL_PARTITIONS, partition_id], pa.int64()))
            self._found[partition_id] = self._sorted(self._each.filter(here))
        return self._found[partition_id]

    def _sorted(self, table: pa.Table) -> Deletes:
        grouped = _latest(table, [KEY_COLUMN]).sort_by(KEY_COLUMN).combine_chunks()
        timestamps = _one(grouped[TIMESTAMP_COLUMN], pa.int64()).to_numpy()
        return Deletes(_one(grouped[KEY_COLUMN], self._key_type), timestamps)


def _latest(table: pa.Table, by: list[str]) -> pa.Table:
    grouped = table.group_by(by).aggregate([(TIMESTAMP_COLUMN, "max")])
    return grouped.select([*by, f"{TIMESTAMP_COLUMN}_max"]).rename_columns([*by, TIMESTAMP_COLUMN])


def _one(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], kind)])
    )
