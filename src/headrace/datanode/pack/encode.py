"""Sync packs to files: the fourth stage, pure work for a thread.

**Owns** which files a sync makes: an insert log and a stats log for each segment with rows, a delta
log for the deletes. **Does not own** formats (`binlog`), threads (`shell`) or puts (`persist`).

The work is split into one piece for each file, so that whoever runs it may run pieces side by side.
Bodies are decoded here, as views: an entry's columns are first looked at when they become a file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from headrace.binlog import body, delta_log, insert_log, paths, stats_log
from headrace.datanode.handoff import (
    EncodedObject,
    EncodedPack,
    SegmentPart,
    SegmentRows,
    SyncPack,
)
from headrace.datanode.pack import names
from headrace.model.errors import Corrupt
from headrace.model.ids import SegmentId
from headrace.model.segment import FileRef


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a sync, with the statistics beside it. `segment_id` None: the deletes."""

    segment_id: SegmentId | None
    ref: FileRef
    objects: tuple[EncodedObject, ...]


Work: TypeAlias = Callable[[], Piece]


def pieces(pack: SyncPack) -> list[Work]:
    """The work of a sync, one call for each file; each may raise `Corrupt`."""
    work: list[Work] = [
        partial(encode_segment, pack, part) for part in pack.head.segments if part.number
    ]
    if pack.head.deletes is not None:
        work.append(partial(encode_deletes, pack, pack.head.deletes.number))
    return work


def joined(pack: SyncPack, done: Sequence[Piece]) -> EncodedPack:
    """The encoded pack of all pieces."""
    return EncodedPack(
        number=pack.head.number,
        objects=tuple(o for piece in done for o in piece.objects),
        files={p.segment_id: p.ref for p in done if p.segment_id is not None},
        delta=next((p.ref for p in done if p.segment_id is None), None),
    )


def encode_segment(pack: SyncPack, part: SegmentPart) -> Piece:
    """The insert log and stats log of one segment; CPU-bound."""
    schema = pack.schemas[part.segment_id]
    chunks = [_chunk(rows, pack.vchannel) for rows in pack.rows[part.segment_id]]
    encoded = insert_log.encode(schema, chunks)
    assert encoded.rows == part.rows, (encoded.rows, part)
    stats = stats_log.encode(schema, encoded.keys, encoded.rows)
    key = names.insert_key(pack, part)
    stats_key = paths.stats_key(key)
    return Piece(
        part.segment_id,
        encoded.ref(key, pack.epoch, stats_key),
        (
            EncodedObject(key, encoded.parts, encoded.view_bytes),
            EncodedObject(stats_key, tuple(stats)),
        ),
    )


def encode_deletes(pack: SyncPack, number: int) -> Piece:
    """The delta log of a sync; CPU-bound."""
    chunks = []
    for deletes in pack.deletes:
        keys = body.decode_keys(deletes.body, pack.vchannel)
        if len(keys) != deletes.deletes:
            raise Corrupt(
                f"an entry of {deletes.deletes} deletes has {len(keys)} keys",
                channel=pack.vchannel,
            )
        chunks.append(
            delta_log.DeletesChunk(keys, deletes.position.timestamp, deletes.partition_id)
        )
    encoded = delta_log.encode(chunks)
    key = names.delta_key(pack, number)
    return Piece(None, encoded.ref(key, pack.epoch), (EncodedObject(key, encoded.parts),))


def _chunk(rows: SegmentRows, vchannel: str) -> insert_log.RowsChunk:
    batch = body.decode_rows(rows.body, vchannel)
    if batch.num_rows < rows.first_row + rows.rows:
        raise Corrupt(
            f"an entry names rows up to {rows.first_row + rows.rows}, its body has "
            f"{batch.num_rows}",
            channel=vchannel,
        )
    return insert_log.RowsChunk(
        batch.slice(rows.first_row, rows.rows),
        rows.first_row_id + rows.first_row,
        rows.position.timestamp,
    )
