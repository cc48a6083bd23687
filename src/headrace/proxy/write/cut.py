"""How a request is cut into parts: a pure function of its bytes, its id and the number of shards.

Parts are numbered by shard, then by partition, where a partition key decides it, and then by place,
so a repetition of a request, through any proxy and under any version of the schema, has the same
parts under the same numbers: a collection with a partition key keeps its partitions for life.

A part holds rows of one shard and one partition, as many as one entry takes. Sizes are estimated
from the columns that were sent; a row's share of the encoding around it is not counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.proxy.errors import Refusal
from headrace.proxy.write.key_hash import Shards
from headrace.proxy.write.rows_check import CheckedRows

Places: TypeAlias = npt.NDArray[np.int64]

_OFFSET_BYTES = 4  # that Arrow keeps for each text and list
_TARGETS_MAX = 2**16 - 1  # shards times partitions: 16 and 1,024 at most
MADE_KEY_BYTES = 24  # of an automatic key, the longest as a text


@dataclass(frozen=True, slots=True, eq=False)
class WritePart:
    """The rows of one part, rising; `places` None = all rows of the request.

    `partition` is a place among those that the request's rows may go to.
    """

    number: int
    shard: int
    places: Places | None
    partition: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Bytes of every row: a share that all have, and one of their own where rows differ."""

    fixed: int
    own: Places | None

    def of(self, places: Places) -> Places:
        """Bytes of these rows."""
        if self.own is None:
            return np.full(len(places), self.fixed)
        return self.own[places] + self.fixed


def sizes_of(columns: Sequence[pa.Array]) -> Sizes:
    """The sizes of rows that have these columns."""
    fixed = 0
    own: Places | None = None
    for column in columns:
        kind = column.type
        if pa.types.is_fixed_size_list(kind):
            fixed += kind.list_size * kind.value_type.bit_width // 8
        elif pa.types.is_string(kind) or pa.types.is_list(kind) or pa.types.is_struct(kind):
            fixed += _OFFSET_BYTES * max(1, kind.num_fields if pa.types.is_struct(kind) else 1)
            lengths = _lengths(column)
            own = lengths if own is None else own + lengths
        else:
            fixed += max(1, kind.bit_width // 8)
    return Sizes(fixed, own)


def _lengths(column: pa.Array) -> Places:
    """Bytes of every row of texts, of lists, or of structs of lists; nulls have none."""
    if pa.types.is_struct(column.type):
        total: Places = np.sum([_lengths(part) for part in column.flatten()], axis=0)
        return total
    if pa.types.is_string(column.type):
        return _of_rows(pc.binary_length(column))
    counts = _of_rows(pc.list_value_length(column))
    element = column.type.value_type
    if not pa.types.is_string(element):
        numbers: Places = counts * max(1, element.bit_width // 8)
        return numbers
    before = np.concatenate(([0], np.cumsum(_of_rows(pc.binary_length(column.flatten())))))
    ends = np.cumsum(counts)
    texts: Places = before[ends] - before[ends - counts] + counts * _OFFSET_BYTES
    return texts


def _of_rows(lengths: pa.Array) -> Places:
    numbers: Places = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def row_sizes(rows: CheckedRows) -> Sizes:
    """The sizes of a write's rows: the columns that were sent, keys made, keys replaced."""
    counted = [c for c, s in zip(rows.columns, rows.sent, strict=True) if s and c is not None]
    if rows.replaces and rows.keys is not None:
        counted.append(rows.keys)
    sizes = sizes_of(counted)
    if rows.columns and rows.schema.key.auto_id:
        return Sizes(sizes.fixed + MADE_KEY_BYTES, sizes.own)
    return sizes


def cut(
    shard_of_row: Shards,
    sizes: Sizes,
    shards: int,
    bytes_max: int,
    partition_of_row: Shards | None = None,
    partitions: int = 1,
) -> list[WritePart]:
    """The parts of a request; `Invalid` when a single row is larger than an entry may be.

    Rows with shard -1 are left out. Without `partition_of_row` all go to one partition.
    """
    most = sizes.fixed + (0 if sizes.own is None else int(sizes.own.max(initial=0)))
    if most > bytes_max:
        row = 0 if sizes.own is None else int(np.argmax(sizes.own))
        raise Refusal.ROW_TOO_LARGE(at="fields_data", row=row, got=most, most=bytes_max)
    target_of_row = shard_of_row
    if partition_of_row is not None:
        target_of_row = np.where(
            shard_of_row < 0, shard_of_row, shard_of_row * partitions + partition_of_row
        )
    parts: list[WritePart] = []
    for target, places in _by_target(target_of_row, shards * partitions):
        shard, partition = divmod(target, partitions)
        for piece in _pieces(places, len(shard_of_row), sizes, bytes_max):
            parts.append(WritePart(len(parts), shard, piece, partition))
    return parts


def _by_target(target_of_row: Shards, targets: int) -> Iterator[tuple[int, Places | None]]:
    """The targets that have rows, rising, with the places of these; None = all rows."""
    if targets == 1 and int(target_of_row.min(initial=0)) == 0:
        yield 0, None
        return
    assert targets < _TARGETS_MAX, targets
    numbers = (target_of_row + 1).astype(np.uint16)  # which numpy sorts by radix, in linear time
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers)
    ends = np.cumsum(counts)
    for number in np.flatnonzero(counts).tolist():
        if number:
            yield number - 1, order[ends[number - 1] : ends[number]]


def kept_of(keys: pa.Array) -> Places | None:
    """Of each key the last row that has it, rising; None when no key is repeated."""
    encoded = keys.dictionary_encode()
    distinct = len(encoded.dictionary)
    if distinct == len(keys):
        return None
    last = np.empty(distinct, np.int64)
    # Of repeated places in an assignment numpy keeps the last.
    last[encoded.indices.to_numpy(zero_copy_only=False)] = np.arange(len(keys))
    return np.sort(last)


def _pieces(
    places: Places | None, rows: int, sizes: Sizes, bytes_max: int
) -> Iterator[Places | None]:
    count = rows if places is None else len(places)
    if count == 0:
        return
    whole = np.arange(rows) if places is None else places
    ends = np.cumsum(sizes.of(whole))
    if ends[-1] <= bytes_max:
        yield places
        return
    start = 0
    while start < count:
        before = int(ends[start - 1]) if start else 0
        end = int(np.searchsorted(ends, before + bytes_max, side="right"))
        yield whole[start:end]
        start = end


def take(column: pa.Array, places: Places | None) -> pa.Array:
    """The rows of a column; without a copy where they are all or follow each other."""
    if places is None:
        return column
    first, last = int(places[0]), int(places[-1])
    if last - first == len(places) - 1:
        return column.slice(first, len(places))
    return column.take(pa.array(places))
