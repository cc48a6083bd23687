"""Sync packs become files with exactly their rows."""

from dataclasses import replace

import pytest
from support.values.rows import SMALL
from support.world.datanode import COLLECTION, PARTITION, VCHANNEL, LogWriter

from headrace.binlog import delta_log, insert_log, stats_log
from headrace.datanode.handoff import (
    DeletedKeys,
    DeletesSync,
    HeldMessage,
    RowSlice,
    SegmentSync,
    Stage,
    SyncKey,
    SyncPack,
)
from headrace.datanode.pack.encode import encode_deletes, encode_segment, with_files
from headrace.log.memory import MemoryLogServer
from headrace.model.channel import Position
from headrace.model.entry import Body
from headrace.model.errors import Corrupt

END = Position("p-0", 9, 9000)


def deleted_keys(at: Position, body: Body, deletes: int, message: HeldMessage) -> DeletedKeys:
    return DeletedKeys(
        position=at, body=body, deletes=deletes, partition_id=0, size_bytes=1, message=message
    )


def pack_of(writer: LogWriter, ranges: list[tuple[int, int, int]], deletes: int = 3) -> SyncPack:
    """One entry of six rows; (segment, first row, rows) go to each segment."""
    entry = writer.rows_entry(1001, 1, [1, 2, 3, 4, 5, 6], deletes=[7, 8, 9])
    message, at = HeldMessage(1), Position("p-0", 1, 1001)
    parts = tuple(
        SegmentSync(
            segment_id=segment_id,
            partition_id=PARTITION,
            version=1,
            number=number,
            rows=count,
            start=at,
            extends=None,
            sealed=None,
            schema=SMALL,
            slices=(
                RowSlice(
                    position=at,
                    segment_id=segment_id,
                    partition_id=PARTITION,
                    version=1,
                    opens=True,
                    body=entry.body,
                    first_row=first,
                    rows=count,
                    first_row_id=entry.first_row_id,
                    size_bytes=1,
                    message=message,
                ),
            ),
        )
        for number, (segment_id, first, count) in enumerate(ranges, 1)
    )
    chunks = (deleted_keys(at, entry.delete_body, deletes, message),)
    return SyncPack(
        key=SyncKey(VCHANNEL, 4, 1),
        collection_id=COLLECTION,
        position=END,
        segments=parts,
        deletes=DeletesSync(number=9, deletes=deletes, extends=None, chunks=chunks),
        holders=(at, at),
        begun_s=0.0,
        size_bytes=3,
        stage=Stage.ENCODING,
    )


def test_each_segment_gets_its_range_of_the_entry() -> None:
    writer = LogWriter(MemoryLogServer())
    pack = pack_of(writer, [(1, 0, 2), (2, 2, 4)])
    done = with_files(pack, [encode_segment(pack, p) for p in pack.segments], encode_deletes(pack))
    assert not list(done.messages)
    objects = {o.key: b"".join(o.parts) for o in done.left}
    assert done.size_bytes == sum(map(len, objects.values()))
    assert list(objects) == [
        f"insert/{COLLECTION}/{PARTITION}/1/4-1.parquet",
        f"stats/{COLLECTION}/{PARTITION}/1/4-1.stats",
        f"insert/{COLLECTION}/{PARTITION}/2/4-2.parquet",
        f"stats/{COLLECTION}/{PARTITION}/2/4-2.stats",
        f"delta/{COLLECTION}/{VCHANNEL}/4-9.parquet",
    ]
    for part, row_ids in zip(done.segments, (range(1, 3), range(3, 7)), strict=True):
        file = part.file
        assert file is not None
        table = insert_log.read(objects[file.key])
        assert table.to_pylist() == [writer.rows[i] for i in row_ids]
        assert stats_log.decode(objects[file.stats_key]).rows == file.rows == len(row_ids)
        assert (file.epoch, file.first_timestamp, file.last_timestamp) == (4, 1001, 1001)
    assert done.deletes is not None
    assert done.deletes.file is not None
    assert delta_log.read(objects[done.deletes.file.key]).to_pydict() == {
        "key": [7, 8, 9],
        "_timestamp": [1001, 1001, 1001],
        "_partition_id": [0, 0, 0],
    }


def test_deletes_keep_the_partition_that_they_concern() -> None:
    pack = pack_of(LogWriter(MemoryLogServer()), [])
    assert pack.deletes is not None
    (chunk,) = pack.deletes.chunks
    both = replace(pack.deletes, chunks=(chunk, replace(chunk, partition_id=PARTITION)))
    _, (item,) = encode_deletes(replace(pack, deletes=both))
    table = delta_log.read(b"".join(item.parts))
    assert table["key"].to_pylist() == [7, 8, 9] * 2
    assert table["_partition_id"].to_pylist() == [0] * 3 + [PARTITION] * 3


def test_a_range_beyond_the_body_is_corrupt() -> None:
    pack = pack_of(LogWriter(MemoryLogServer()), [(1, 4, 3)])
    with pytest.raises(Corrupt, match="rows up to 7"):
        encode_segment(pack, pack.segments[0])


def test_a_count_of_deletes_that_is_not_the_body_s_is_corrupt() -> None:
    pack = pack_of(LogWriter(MemoryLogServer()), [], deletes=2)
    with pytest.raises(Corrupt, match="3 keys"):
        encode_deletes(pack)
