"""Makes files of a sync pack: an insert log and a stats log a segment, a delta log for deletes.

Each file is one call that a thread runs, a few calls at a time. Bodies are decoded here, as views:
an entry's columns are looked at for the first time when they become a file.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar

from headrace.binlog import body, delta_log, insert_log, paths, stats_log
from headrace.datanode.effects import EncodePack
from headrace.datanode.events import PackEncoded, PackRefused
from headrace.datanode.handoff import (
    DeletesSync,
    EncodedObject,
    RowSlice,
    SegmentSync,
    Stage,
    SyncPack,
)
from headrace.datanode.settings import DataNodeSettings
from headrace.frame.surroundings import Surroundings
from headrace.model.channel import VChannel
from headrace.model.errors import Corrupt

T = TypeVar("T")
Objects: TypeAlias = tuple[EncodedObject, ...]


class Encoder:
    """Encodes the packs of one node, a few files at the same time."""

    def __init__(self, around: Surroundings[DataNodeSettings]) -> None:
        self._offload = around.host.offload
        self._encodes = asyncio.Semaphore(around.settings.encodes_at_once)
        counter = around.telemetry.counter
        self._syncs = counter("datanode_syncs_total", "Syncs that were made into files")

    async def encode(self, effect: EncodePack) -> PackEncoded | PackRefused:
        """The pack with its files; `PackRefused` when its rows are not what they must be."""
        pack = effect.pack
        tasks = [self._run(partial(encode_segment, pack, p)) for p in pack.segments]
        try:
            segments, deletes = await asyncio.gather(
                asyncio.gather(*tasks), self._run(partial(encode_deletes, pack))
            )
        except Corrupt as error:
            return PackRefused(pack.key, error.message)
        self._syncs.inc()
        return PackEncoded(with_files(pack, segments, deletes))

    async def _segment(self, pack: SyncPack, part: SegmentSync) -> tuple[SegmentSync, Objects]:
        """A segment that is only flushed has no file and needs no thread."""
        if part.schema is None:
            return part, ()
        return await self._run(partial(encode_segment, pack, part))

    async def _deletes(self, pack: SyncPack) -> tuple[DeletesSync | None, Objects]:
        if pack.deletes is None:
            return None, ()
        return await self._run(partial(encode_deletes, pack))

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._encodes:
            return await self._offload.run(work)


def with_files(
    pack: SyncPack,
    segments: Sequence[tuple[SegmentSync, Objects]],
    deletes: tuple[DeletesSync | None, Objects],
) -> SyncPack:
    """The pack with its files in the place of its rows and deletes."""
    left = tuple(o for _, objects in (*segments, deletes) for o in objects)
    return replace(
        pack,
        segments=tuple(part for part, _ in segments),
        deletes=deletes[0],
        left=left,
        size_bytes=sum(o.size_bytes for o in left),
        stage=Stage.STORING,
    )


def encode_segment(pack: SyncPack, part: SegmentSync) -> tuple[SegmentSync, Objects]:
    """The insert log and stats log of one segment; CPU-bound. `Corrupt` when its rows are."""
    if part.schema is None:
        return part, ()
    chunks = [_chunk(rows, pack.key.vchannel) for rows in part.slices]
    encoded = insert_log.encode(part.schema, chunks)
    assert encoded.rows == part.rows, (encoded.rows, part)
    stats = stats_log.encode(part.schema, encoded.keys)
    # OB-1: keys name the epoch, so that a replaced writer never takes the key of its successor,
    # and a number, so that no two objects of one flowgraph share one.
    key = paths.insert_key(
        pack.collection_id, part.partition_id, part.segment_id, pack.key.epoch, part.number
    )
    stats_key = paths.stats_key(key)
    file = encoded.ref(key, pack.key.epoch, stats_key)
    objects = (
        EncodedObject(key, encoded.parts, encoded.view_bytes),
        EncodedObject(stats_key, tuple(stats)),
    )
    return replace(part, schema=None, slices=(), file=file), objects


def encode_deletes(pack: SyncPack) -> tuple[DeletesSync | None, Objects]:
    """The delta log of a sync; CPU-bound. `Corrupt` when its deletes are."""
    part, vchannel, epoch = pack.deletes, pack.key.vchannel, pack.key.epoch
    if part is None:
        return None, ()
    chunks = []
    for deletes in part.chunks:
        keys = body.decode_keys(deletes.body, vchannel)
        if len(keys) != deletes.deletes:
            raise Corrupt(
                f"an entry of {deletes.deletes} deletes has {len(keys)} keys", channel=vchannel
            )
        chunks.append(
            delta_log.DeletesChunk(keys, deletes.position.timestamp, deletes.partition_id)
        )
    encoded = delta_log.encode(chunks)
    key = paths.delta_key(pack.collection_id, vchannel, epoch, part.number)
    objects = (EncodedObject(key, encoded.parts),)
    return replace(part, chunks=(), file=encoded.ref(key, epoch)), objects


def _chunk(rows: RowSlice, vchannel: VChannel) -> insert_log.RowsChunk:
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
