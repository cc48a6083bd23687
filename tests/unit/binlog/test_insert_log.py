"""Insert logs."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.values.rows import (
    SMALL,
    key_field,
    schema_of,
    small_batch,
    vector_field,
    vectors_array,
)

from headrace.binlog import insert_log
from headrace.binlog.columns import arrow_schema, file_schema
from headrace.binlog.insert_log import RowsChunk
from headrace.model.errors import Corrupt


def joined(encoded) -> bytes:
    data = b"".join(encoded.parts)
    assert len(data) == encoded.size_bytes
    return data


def test_rows_of_many_chunks_come_back_in_order_with_their_own_columns():
    chunks = [
        RowsChunk(small_batch([5, 1, 9]), 1000, 70),
        RowsChunk(small_batch(list(range(20, 90)), seed=1), 5000, 75),
    ]
    encoded = insert_log.encode(SMALL, chunks)
    table = insert_log.read(joined(encoded))
    rows = pa.Table.from_batches([c.batch for c in chunks])
    assert table.select(rows.schema.names).equals(rows)
    assert table.schema.names == file_schema(SMALL).names
    assert table["_row_id"].to_pylist() == [1000, 1001, 1002, *range(5000, 5070)]
    assert table["_timestamp"].to_pylist() == [70] * 3 + [75] * 70
    assert (encoded.rows, encoded.first_timestamp, encoded.last_timestamp) == (73, 70, 75)
    assert (encoded.min_key, encoded.max_key) == ("1", "89")
    assert encoded.keys.to_pylist() == [5, 1, 9, *range(20, 90)]


def test_vectors_are_lists_of_floats_to_parquet_and_fixed_size_lists_to_arrow():
    data = joined(insert_log.encode(SMALL, [RowsChunk(small_batch([1, 2]), 0, 1)]))
    file = pq.ParquetFile(io.BytesIO(data))
    column = file.schema.column(1)
    assert column.path == "embedding.list.element"
    assert column.physical_type == "FLOAT"
    assert pa.types.is_fixed_size_list(file.schema_arrow.field("embedding").type)
    assert file.schema_arrow.field("embedding").type.list_size == 4


def test_vectors_have_no_dictionary_statistics_or_compression():
    group = pq.ParquetFile(
        io.BytesIO(joined(insert_log.encode(SMALL, [RowsChunk(small_batch([1, 2]), 0, 1)])))
    ).metadata.row_group(0)
    vectors, texts = group.column(1), group.column(2)
    assert vectors.path_in_schema == "embedding.list.element"
    assert vectors.compression == "UNCOMPRESSED"
    assert not vectors.is_stats_set
    assert not vectors.has_dictionary_page
    assert texts.compression == "ZSTD"


def test_vectors_are_kept_bit_by_bit_with_nulls_between_them():
    schema = schema_of(key_field(), vector_field(3, nullable=True))
    bits = np.arange(30, dtype=np.uint32).reshape(10, 3) + np.uint32(0x7FC00000)
    mask = np.arange(10) % 3 == 1
    batch = pa.RecordBatch.from_arrays(
        [pa.array(np.arange(10)), vectors_array(bits.view(np.float32), mask)],
        schema=arrow_schema(schema),
    )
    chunks = [RowsChunk(batch.slice(0, 4), 0, 1), RowsChunk(batch.slice(4), 4, 2)]
    vectors = insert_log.read(joined(insert_log.encode(schema, chunks)))["embedding"]
    assert vectors.is_null().to_pylist() == mask.tolist()
    kept = pa.concat_arrays(vectors.chunks).flatten().to_numpy().view(np.uint32)
    assert (kept.reshape(-1, 3) == bits[~mask]).all()


def test_the_same_chunks_give_the_same_bytes():
    chunks = [RowsChunk(small_batch(list(range(100))), 0, 1)]
    first, second = (joined(insert_log.encode(SMALL, chunks)) for _ in range(2))
    assert first == second


def test_rows_of_another_schema_are_corrupt():
    other = schema_of(key_field(), vector_field(8))
    with pytest.raises(Corrupt, match="columns"):
        insert_log.encode(other, [RowsChunk(small_batch([1]), 0, 1)])


def test_what_is_no_parquet_file_is_corrupt():
    with pytest.raises(Corrupt, match="no insert log"):
        insert_log.read(b"PAR1 nothing PAR1")
