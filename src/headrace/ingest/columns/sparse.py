"""Sparse vectors of a file: indices and values.

A file may have them as structs of two lists, `indices` and `values`, which is how Headrace's own
files have them, or as maps from index to value. Indices need not rise in a file; they do
afterwards.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import SPARSE_VECTOR
from headrace.ingest.faults import Unfit

INDEX_MAX = 2**32 - 2  # Milvus keeps the last index for itself


def read_sparse(column: pa.Array) -> pa.Array:
    """Sparse vectors, indices rising; `Unfit` when one is not whole."""
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), SPARSE_VECTOR)
    if column.null_count:
        raise Unfit("null, but the field is not nullable")
    if pa.types.is_map(column.type):
        lengths = pc.list_value_length(column.cast(_as_lists(column.type)))
        pairs = column.cast(_as_lists(column.type)).flatten()
        indices, values = pairs.field(0), pairs.field(1)
    else:
        lists = [pc.struct_field(column, name) for name in ("indices", "values")]
        lengths, others = (pc.list_value_length(part) for part in lists)
        if lengths.null_count or others.null_count or not lengths.equals(others):
            raise Unfit("a sparse vector must have as many values as indices")
        indices, values = (part.flatten() for part in lists)
    if indices.null_count or values.null_count:
        raise Unfit("a sparse vector with a null in it can not be stored")
    return _made(lengths, indices, values)


def _as_lists(kind: pa.MapType) -> pa.DataType:
    return pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))


def _made(lengths: pa.Array, indices: pa.Array, values: pa.Array) -> pa.Array:
    whole = pc.cast(indices, pa.int64()).to_numpy()
    if len(whole) and not (whole.min() >= 0 and whole.max() <= INDEX_MAX):
        raise Unfit(f"the indices of a sparse vector lie between 0 and {INDEX_MAX}")
    with np.errstate(over="ignore"):
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float32)
    if not np.isfinite(numbers).all():
        raise Unfit("NaN and infinity can not be stored")
    counts = lengths.to_numpy()
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((whole, rows))
    whole, numbers = whole[order], numbers[order]
    again = (np.diff(whole) == 0) & (np.diff(rows) == 0)
    if again.any():
        raise Unfit(f"the index {whole[int(np.argmax(again))]} comes twice in a sparse vector")
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
    parts = [
        pa.ListArray.from_arrays(offsets, pa.array(whole.astype(np.uint32))),
        pa.ListArray.from_arrays(offsets, pa.array(numbers)),
    ]
    return pa.StructArray.from_arrays(parts, fields=list(SPARSE_VECTOR))
