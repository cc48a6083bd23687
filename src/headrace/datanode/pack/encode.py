"""Makes files of a sync pack: an insert log and a stats log a segment, a delta log for deletes.

Each file is one call that a thread runs, a few calls at a time. Bodies are decoded here, as views:
an entry's columns are looked at for the first time when they become a file.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from headrace.binlog import body, delta_log, insert_log, paths, stats_log
from headrace.datanode.effects import EncodePack
from headrace.datanode.events import PackEncoded, PackRefused
from headrace.datanode.handoff import (
    EncodedObject,
    EncodedPack,
    SegmentPart,
    SegmentRows,
    SyncPack,
)
from headrace.model.errors import Corrupt
from headrace.model.ids import SegmentId
from headrace.model.segment import FileRef
from headrace.runtime.host import Offload
from headrace.runtime.telemetry import Telemetry


class Encoder:
    """Encodes the packs of one node, at most `at_once` files at the same time."""

    def __init__(self, at_once: int, offload: Offload, telemetry: Telemetry) -> None:
        self._offload = offload
        self._encodes = asyncio.Semaphore(at_once)
        self._syncs = telemetry.counter("datanode_syncs_total", "Syncs that were made into files")

    async def encode(self, effect: EncodePack) -> PackEncoded | PackRefused:
        """All files of a pack; `PackRefused` when its rows are not what they must be."""
        pack = effect.pack
        try:
            done = await asyncio.gather(*(self._run(work) for work in pieces(pack)))
        except Corrupt as error:
            return PackRefused(pack.vchannel, pack.epoch, pack.head.number, error.message)
        self._syncs.inc()
        return PackEncoded(pack.vchannel, pack.epoch, joined(pack, done))

    async def _run(self, work: "Work") -> "Piece":
        async with self._encodes:
            return await self._offload.run(work)


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
    # OB-1: keys name the epoch, so that a replaced writer never takes the key of its successor,
    # and a number, so that no two objects of one flowgraph share one.
    key = paths.insert_key(
        pack.collection_id, part.partition_id, part.segment_id, pack.epoch, part.number
    )
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
    key = paths.delta_key(pack.collection_id, pack.vchannel, pack.epoch, number)
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
