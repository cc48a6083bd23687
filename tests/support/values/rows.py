"""Made-up schemas and rows that several suites share."""

import numpy as np
import pyarrow as pa

from headrace.binlog.columns import arrow_schema
from headrace.model.schema import DataType, Field, Schema


def schema_of(*fields: Field) -> Schema:
    """A schema of these fields."""
    return Schema(fields=fields)


def key_field(kind: DataType = DataType.INT64) -> Field:
    """The primary key `id`."""
    return Field(id=100, name="id", type=kind, primary=True, max_length=64)


def vector_field(dim: int = 4, *, nullable: bool = False) -> Field:
    """A float vector `embedding`."""
    return Field(id=101, name="embedding", type=DataType.FLOAT_VECTOR, dim=dim, nullable=nullable)


def text_field(*, nullable: bool = False) -> Field:
    """A varchar `text`."""
    return Field(id=102, name="text", type=DataType.VARCHAR, max_length=65535, nullable=nullable)


def meta_field() -> Field:
    """The dynamic column."""
    return Field(id=103, name="$meta", type=DataType.JSON, dynamic=True)


SMALL = schema_of(key_field(), vector_field(), text_field(nullable=True), meta_field())


def vectors_array(values: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
    """Rows of a float32 matrix as a fixed-size list, null where `mask` is True."""
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
    nulls = None if mask is None else pa.array(mask)
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=nulls)


def small_batch(ids: list[int], seed: int = 0) -> pa.RecordBatch:
    """Rows of `SMALL` with these keys; every third text is null."""
    chance = np.random.default_rng(seed)
    vectors = chance.random((len(ids), 4), dtype=np.float32)
    texts = [None if i % 3 == 0 else f"text {i}" for i in ids]
    metas = [None if i % 2 else f'{{"n":{i}}}' for i in ids]
    columns = [
        pa.array(ids, pa.int64()),
        vectors_array(vectors),
        pa.array(texts, pa.string()),
        pa.array(metas, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(SMALL))
