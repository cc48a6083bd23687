"""`.npy` files as a source: the rows of a matrix are vectors, their numbers are keys.

The file is mapped, not read, so it may be larger than memory.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from headrace.ingest.columns.convert import convert, read_column, takes
from headrace.ingest.sources.source import Piece, RowSource, brings, check_names
from headrace.model.errors import Invalid
from headrace.model.schema import FIRST_FIELD_ID, DataType, Field, Schema

PIECE_BYTES = 8 << 20
KEY, VECTOR = "id", "vector"  # of a collection that is made for it
_TYPES = {
    np.dtype(np.float64): DataType.FLOAT_VECTOR,
    np.dtype(np.float32): DataType.FLOAT_VECTOR,
    np.dtype(np.float16): DataType.FLOAT16_VECTOR,
    np.dtype(np.int8): DataType.INT8_VECTOR,
    np.dtype(np.uint8): DataType.BINARY_VECTOR,
}


class NpySource(RowSource):
    """`first_key` is the key of the first row, where keys are not made."""

    bounded_by_rows = True

    def __init__(self, path: Path, first_key: int) -> None:
        self.name = str(path)
        self._first_key = first_key
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise Invalid(f"{path} cannot be read as .npy: {error}") from error
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.shape[1] == 0:
            shape = getattr(array, "shape", "none")
            raise Invalid(f"{path} holds an array of shape {shape}: it must be (rows, dim)")
        kind = array.dtype.newbyteorder("=")
        if kind not in _TYPES:
            known = ", ".join(str(k) for k in _TYPES)
            raise Invalid(f"{path} holds numbers of type {kind}; taken are {known}")
        self._array, self._kind = array, kind
        self.size = array.shape[0]

    def fields(self, key: str | None = None) -> Sequence[Field]:
        """`id`, and `vector` by the type of the numbers."""
        kind = _TYPES[self._kind]
        dim = self._array.shape[1] * (8 if kind == DataType.BINARY_VECTOR else 1)
        return (
            Field(id=FIRST_FIELD_ID, name=KEY, type=DataType.INT64),
            Field(id=FIRST_FIELD_ID + 1, name=VECTOR, type=kind, dim=dim),
        )

    def check(self, schema: Schema) -> None:
        vector = self._vector(schema)
        if not takes(vector, pa.list_(pa.from_numpy_dtype(self._kind))):
            raise Invalid(f"{self.name} holds {self._kind}, which is not for {vector.type.name}")
        if not schema.key.auto_id and schema.key.type != DataType.INT64:
            raise Invalid(
                f"the keys of a .npy file are its row numbers, but the primary key "
                f"{schema.key.name!r} is {schema.key.type.name}"
            )
        keys = [] if schema.key.auto_id else [schema.key.name]
        check_names(self.name, [*keys, vector.name], schema)

    def read(self, schema: Schema, start: int) -> Iterator[Piece]:
        vector, (total, dim) = self._vector(schema), self._array.shape
        count = max(1, PIECE_BYTES // (dim * self._kind.itemsize))
        for first in range(start, total, count):
            last = min(total, first + count)
            raw = np.ascontiguousarray(self._array[first:last], self._kind)
            lists = pa.FixedSizeListArray.from_arrays(pa.array(raw.reshape(-1)), dim)
            column, faults = convert(vector, lists, read_column)
            columns = {vector.name: column}
            if not schema.key.auto_id:
                keys = np.arange(first, last, dtype=np.int64) + self._first_key
                columns[schema.key.name] = pa.array(keys)

            def original(place: int, raw: np.ndarray = raw) -> list[float]:
                row: list[float] = raw[place].tolist()
                return row

            yield Piece(last - first, columns, faults, original, last)

    def _vector(self, schema: Schema) -> Field:
        vectors = [f for f in brings(schema).values() if f.type.is_vector]
        named = [f for f in vectors if f.name == VECTOR]
        if not named and len(vectors) != 1:
            names = ", ".join(f.name for f in vectors)
            raise Invalid(f"{self.name} holds one vector a row, the collection has: {names}")
        return (named or vectors)[0]
