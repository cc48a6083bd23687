"""Snapshots, from files that the real formats wrote."""

import datetime
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.values.every_type import DENSE, every_type, rows_of
from support.values.rows import (
    SMALL,
    key_field,
    schema_of,
    small_batch,
    text_field,
    vector_field,
    vectors_array,
)
from support.world.bucket import COLLECTION, disk_bucket, memory_bucket

import headrace.reader
from headrace.binlog.columns import arrow_schema
from headrace.model.errors import Conflict, Corrupt, Invalid, NotFound, Unavailable
from headrace.model.schema import DataType, Field
from headrace.model.segment import SegmentState
from headrace.model.timestamp import compose


def ids(snapshot) -> list[int]:
    return snapshot.to_table(["id"])["id"].to_pylist()


def test_rows_come_back_as_they_were_stored():
    bucket = memory_bucket(SMALL)
    first, second = small_batch([1, 2, 3]), small_batch([4, 5], seed=1)
    bucket.rows(20, (5, first), (6, second))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    assert snapshot.to_table().equals(pa.Table.from_batches([first, second]))
    assert snapshot.schema.equals(arrow_schema(SMALL))
    assert (snapshot.name, snapshot.collection_id, snapshot.timestamp) == ("docs", COLLECTION, 6)
    assert snapshot.count() == 5


@pytest.mark.parametrize("spell", [str, lambda p: p.as_uri(), lambda p: p])
def test_a_directory_is_opened_by_path_or_uri(tmp_path, spell):
    bucket = disk_bucket(tmp_path, SMALL)
    bucket.rows(20, (5, small_batch([1, 2])))
    bucket.publish()
    snapshot = headrace.reader.open(spell(tmp_path), "docs")
    assert ids(snapshot) == [1, 2]
    assert ids(headrace.reader.open(spell(tmp_path), COLLECTION)) == [1, 2]
    assert ids(headrace.reader.open(spell(tmp_path), str(COLLECTION))) == [1, 2]


def test_a_delete_hides_earlier_rows_and_an_upsert_the_row_that_it_replaces():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1, 2, 3])), (8, small_batch([3], seed=9)))
    bucket.deletes((6, [2]), (8, [3]))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    table = snapshot.to_table(["id", "_timestamp"])
    assert table.to_pydict() == {"id": [1, 3], "_timestamp": [5, 8]}
    assert snapshot.count() == 2
    assert snapshot.dataset().count_rows() == 2


def test_rows_and_deletes_above_the_timestamp_of_the_list_are_not_there_yet():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1, 2])), (9, small_batch([3])))
    bucket.rows(21, (9, small_batch([4])))
    bucket.deletes((9, [1]))
    bucket.publish(timestamp=7)
    snapshot = headrace.reader.open(bucket.files, "docs")
    assert ids(snapshot) == [1, 2]
    assert snapshot.count() == 2
    assert sorted(snapshot.dataset().to_table()["id"].to_pylist()) == [1, 2]


def test_an_earlier_time_shows_what_was_there_then():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (compose(1000), small_batch([1, 2])), (compose(2000), small_batch([3])))
    bucket.deletes((compose(2000, 1), [1]))
    bucket.publish()
    moment = datetime.datetime.fromtimestamp(1.0, datetime.UTC)
    assert ids(headrace.reader.open(bucket.files, "docs", at=moment)) == [1, 2]
    assert ids(headrace.reader.open(bucket.files, "docs", at=compose(2000))) == [1, 2, 3]
    assert ids(headrace.reader.open(bucket.files, "docs")) == [2, 3]


def test_a_time_that_is_not_complete_yet_is_unavailable():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    bucket.publish()
    with pytest.raises(
        Unavailable, match=r"complete up to 5 \(1970-01-01T00:00:00.*\), not up to 6"
    ):
        headrace.reader.open(bucket.files, "docs", at=6)


def test_the_highest_list_counts_and_a_snapshot_stays_what_it_was():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    bucket.publish()
    older = headrace.reader.open(bucket.files, "docs")
    bucket.rows(20, (6, small_batch([2])))
    bucket.publish()
    assert ids(headrace.reader.open(bucket.files, "docs")) == [1, 2]
    assert ids(older) == [1]


def test_files_that_no_list_names_do_not_count():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    listed = list(bucket.segments)
    bucket.rows(20, (6, small_batch([2])))
    bucket.segments = listed
    bucket.publish()
    assert ids(headrace.reader.open(bucket.files, "docs")) == [1]


def test_bundled_segments_count_like_listed_ones():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    bucket.bundle()
    bucket.rows(21, (6, small_batch([2])))
    bucket.bundle()
    bucket.rows(22, (7, small_batch([3])), state=SegmentState.GROWING)
    bucket.publish()
    assert sorted(ids(headrace.reader.open(bucket.files, "docs"))) == [1, 2, 3]


def test_segments_that_are_dropped_or_of_dropped_partitions_do_not_count():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    bucket.rows(21, (5, small_batch([2])), partition_id=99)
    bucket.rows(22, (5, small_batch([3])), state=SegmentState.DROPPED)
    bucket.publish()
    assert ids(headrace.reader.open(bucket.files, "docs")) == [1]


def test_columns_that_an_older_segment_lacks_are_filled_with_their_default_or_null():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1, 2])))
    score = Field(id=110, name="score", type=DataType.INT32, default=7, has_default=True)
    tag = Field(id=111, name="tag", type=DataType.VARCHAR, nullable=True)
    extra = vector_field(2, nullable=True)
    bucket.alter(schema_of(*SMALL.fields, score, tag, replace(extra, id=112, name="extra")))
    batch = small_batch([3])
    columns = [
        *batch.columns,
        pa.array([1], pa.int32()),
        pa.array(["t"]),
        vectors_array(np.ones((1, 2))),
    ]
    newer = pa.RecordBatch.from_arrays(columns, schema=arrow_schema(bucket.schema))
    bucket.rows(21, (6, newer))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    wanted = {
        "id": [1, 2, 3],
        "score": [7, 7, 1],
        "tag": [None, None, "t"],
        "extra": [None, None, [1.0, 1.0]],
    }
    assert snapshot.to_table(list(wanted)).to_pydict() == wanted
    assert snapshot.dataset().to_table(columns=list(wanted)).to_pydict() == wanted
    assert snapshot.to_table(["score"]).to_pydict() == {"score": [7, 7, 1]}


def test_a_column_that_was_dropped_and_made_again_does_not_show_its_old_values():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    anew = replace(text_field(nullable=True), id=120)
    bucket.alter(schema_of(*(anew if f.name == "text" else f for f in SMALL.fields)))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    assert snapshot.to_table(["id", "text"]).to_pydict() == {"id": [1], "text": [None]}


def test_only_the_wanted_columns_come_in_the_wanted_order():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1])))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    names = ["_row_id", "text", "id", "_timestamp"]
    assert snapshot.to_table(names).to_pydict() == {
        "_row_id": [1000],
        "text": ["text 1"],
        "id": [1],
        "_timestamp": [5],
    }
    with pytest.raises(NotFound, match=r"no column 'nothing'; it has: id, embedding"):
        snapshot.to_table(["id", "nothing"])


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 5, 100])
def test_a_limit_ends_in_the_middle_of_a_batch(limit):
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1, 2, 3])))
    bucket.rows(21, (5, small_batch([4, 5])))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    assert len(snapshot.to_table(limit=limit)) == min(limit, 5)


def test_batches_are_some_megabytes_however_large_the_file():
    schema = schema_of(key_field(), vector_field(512))
    bucket = memory_bucket(schema)
    rows = 20_000
    batch = pa.RecordBatch.from_arrays(
        [pa.array(np.arange(rows)), vectors_array(np.zeros((rows, 512)))],
        schema=arrow_schema(schema),
    )
    bucket.rows(20, (5, batch))
    bucket.publish()
    batches = headrace.reader.open(bucket.files, "docs").to_batches()
    sizes = [b.nbytes for b in batches]
    assert len(sizes) > 1
    assert max(sizes) < 20_000_000


def test_vectors_are_a_matrix_bit_by_bit():
    schema = schema_of(key_field(), vector_field(3))
    bits = (np.arange(12, dtype=np.uint32) + np.uint32(0x7FC00000)).reshape(4, 3)
    bucket = memory_bucket(schema)
    for n in range(2):
        part = bits[2 * n : 2 * n + 2].view(np.float32)
        batch = pa.RecordBatch.from_arrays(
            [pa.array([2 * n, 2 * n + 1]), vectors_array(part)], schema=arrow_schema(schema)
        )
        bucket.rows(20 + n, (5, batch))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    assert (snapshot.vectors("embedding").view(np.uint32) == bits).all()
    bucket.deletes((6, [1, 2, 3]))
    bucket.publish()
    one = headrace.reader.open(bucket.files, "docs").vectors("embedding")
    assert (one.view(np.uint32) == bits[:1]).all()


def test_every_type_is_read_bit_by_bit():
    schema = every_type()
    bucket = memory_bucket(schema)
    rows = rows_of(schema, list(range(10)))
    bucket.rows(20, (5, rows))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    table = snapshot.to_table().combine_chunks()
    assert table.schema.equals(arrow_schema(schema))
    for field in schema.fields:
        if field.type in DENSE:
            matrix = snapshot.vectors(field.name)
            assert matrix.dtype == DENSE[field.type]
            assert matrix.tobytes() == rows.column(field.name).flatten().to_numpy().tobytes()
        else:
            assert table[field.name].to_pylist() == rows.column(field.name).to_pylist()
    with pytest.raises(Invalid, match="no column of dense vectors"):
        snapshot.vectors("SPARSE_FLOAT_VECTOR")
    columns = [f.name for f in schema.fields if f.type not in DENSE]
    stored = snapshot.dataset().to_table(columns=columns)
    assert stored.to_pylist() == table.select(columns).to_pylist()


def test_vectors_of_one_batch_are_a_view_of_it():
    schema = schema_of(key_field(), vector_field(3))
    bucket = memory_bucket(schema)
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1, 2]), vectors_array(np.ones((2, 3)))], schema=arrow_schema(schema)
    )
    bucket.rows(20, (5, batch))
    bucket.publish()
    matrix = headrace.reader.open(bucket.files, "docs").vectors("embedding")
    assert matrix.shape == (2, 3)
    assert not matrix.flags.owndata


def test_vectors_of_no_rows_are_an_empty_matrix():
    bucket = memory_bucket(SMALL)
    bucket.publish()
    assert headrace.reader.open(bucket.files, "docs").vectors("embedding").shape == (0, 4)


def test_vectors_refuse_nulls_and_columns_that_are_no_vectors():
    schema = schema_of(key_field(), vector_field(2, nullable=True))
    bucket = memory_bucket(schema)
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1, 2]), vectors_array(np.ones((2, 2)), np.array([True, False]))],
        schema=arrow_schema(schema),
    )
    bucket.rows(20, (5, batch))
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    with pytest.raises(Invalid, match="holds 1 nulls"):
        snapshot.vectors("embedding")
    with pytest.raises(Invalid, match="no column of dense vectors"):
        snapshot.vectors("id")


def test_a_collection_without_rows_is_empty():
    bucket = memory_bucket(SMALL)
    bucket.publish()
    snapshot = headrace.reader.open(bucket.files, "docs")
    assert snapshot.to_table().num_rows == snapshot.count() == 0
    assert snapshot.dataset().count_rows() == 0
    assert snapshot.to_table().schema.equals(arrow_schema(SMALL))


def test_a_file_that_is_gone_says_what_to_do(tmp_path):
    bucket = disk_bucket(tmp_path, SMALL)
    row_file = bucket.rows(20, (5, small_batch([1])))
    delta_file = bucket.deletes((6, [1]))
    bucket.publish()
    for key in (row_file.key, delta_file.key):
        snapshot = headrace.reader.open(tmp_path, "docs")
        (tmp_path / key).unlink()
        with pytest.raises(Conflict, match=r"is gone: .* open the collection again"):
            snapshot.to_table()


def test_a_file_that_is_damaged_is_corrupt_and_named(tmp_path):
    bucket = disk_bucket(tmp_path, SMALL)
    ref = bucket.rows(20, (5, small_batch([1])))
    bucket.publish()
    path = tmp_path / ref.key
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Corrupt, match=ref.key):
        headrace.reader.open(tmp_path, "docs").to_table()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "upsert", "delete", "cut", "cut deletes"]), st.integers(0, 5)
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(OPERATIONS, st.integers(0, 20))
def test_any_history_reads_as_replaying_it_would(operations, ago):
    """Inserts of a key that lives make a second row, as in Milvus; deletes hide both."""
    schema = schema_of(key_field())
    bucket = memory_bucket(schema)
    rows: list[tuple[int, int]] = []
    deletes: list[tuple[int, int]] = []
    growing: list[tuple[int, pa.RecordBatch]] = []
    buffered: list[tuple[int, list[int]]] = []
    for timestamp, (operation, key) in enumerate(operations, start=1):
        if operation in {"insert", "upsert"}:
            batch = pa.RecordBatch.from_arrays([pa.array([key])], schema=arrow_schema(schema))
            growing.append((timestamp, batch))
            rows.append((key, timestamp))
        if operation in {"delete", "upsert"}:
            buffered.append((timestamp, [key]))
            deletes.append((key, timestamp))
        if growing and (operation == "cut" or timestamp == len(operations)):
            bucket.rows(20 + key, *growing)
            growing = []
        if buffered and (operation == "cut deletes" or timestamp == len(operations)):
            bucket.deletes(*buffered)
            buffered = []
    bucket.publish(len(operations))
    at = max(0, len(operations) - ago)
    snapshot = headrace.reader.open(bucket.files, "docs", at=at)
    expected = sorted(
        (k, t) for k, t in rows if t <= at and not any(d == k and t < u <= at for d, u in deletes)
    )
    names = ["id", "_timestamp"]
    for table in (snapshot.to_table(names), snapshot.dataset().to_table(columns=names)):
        assert sorted(zip(*table.to_pydict().values(), strict=True)) == expected
    assert snapshot.count() == len(expected)


def test_a_dataset_takes_filters_and_projections_of_its_own():
    bucket = memory_bucket(SMALL)
    bucket.rows(20, (5, small_batch([1, 2, 3, 4])))
    bucket.deletes((6, [2]))
    bucket.publish()
    dataset = headrace.reader.open(bucket.files, "docs").dataset()
    table = dataset.to_table(columns=["id"], filter=pc.field("id") > 1)
    assert table.to_pydict() == {"id": [3, 4]}
    vectors = dataset.to_table(columns=["embedding"])["embedding"].type
    assert pa.types.is_fixed_size_list(vectors)
