"""Freezes buffers into a sync pack, between any two entries.

All that stands in the cut buffers lies at or below the position that the flowgraph has consumed.
So that position is the new segment checkpoint, and the new delete checkpoint if deletes are cut.
"""

from collections.abc import Callable

from headrace.datanode.growing.buffers import Buffers, Segment
from headrace.datanode.growing.policy import Due
from headrace.datanode.handoff import DeletesSync, SegmentSync, Stage, SyncKey, SyncPack
from headrace.model.channel import Position
from headrace.model.ids import Version
from headrace.model.schema import Schema
from headrace.rpc.messages import Watch


class Cutter:
    """Makes the sync packs of one flowgraph; counts its syncs and its objects."""

    def __init__(self, watch: Watch, schema_of: Callable[[Version], Schema]) -> None:
        self._vchannel, self._epoch = watch.vchannel, watch.epoch
        self._collection_id = watch.collection_id
        self._schema_of = schema_of
        self._syncs = 0
        self._objects = 0

    def cut(self, buffers: Buffers, due: Due, position: Position, now: float) -> SyncPack:
        """Freeze what is due, and all deletes with it. `Corrupt` when a schema is not known; then
        nothing is cut."""
        segments = [buffers.segments[segment_id] for segment_id in due.segments]
        schemas = {s.id: self._schema_of(s.version) for s in segments if s.slices}
        size_bytes = buffers.delete_bytes + sum(s.size_bytes for s in segments)
        holders = [s.first for s in segments] + [d.position for d in buffers.deletes[:1]]
        self._syncs += 1
        parts = tuple(self._segment(s, schemas.get(s.id), position) for s in segments)
        for part in parts:
            if part.sealed:
                buffers.segments[part.segment_id].flushing = True
                buffers.sealed.pop(part.segment_id, None)
        deletes = self._deletes(buffers, position)
        has_files = bool(schemas) or deletes is not None
        return SyncPack(
            key=SyncKey(self._vchannel, self._epoch, self._syncs),
            collection_id=self._collection_id,
            position=position,
            segments=parts,
            deletes=deletes,
            holders=tuple(p for p in (*holders, *(s.sealed for s in parts)) if p),
            begun_s=now,
            size_bytes=size_bytes,
            stage=Stage.ENCODING if has_files else Stage.STORED,
        )

    def _segment(self, segment: Segment, schema: Schema | None, position: Position) -> SegmentSync:
        part = SegmentSync(
            segment_id=segment.id,
            partition_id=segment.partition_id,
            version=segment.version,
            number=self._next_object() if segment.slices else 0,
            rows=segment.rows,
            start=segment.start,
            extends=segment.extends,
            sealed=segment.sealed,  # a flush waits for the Seal
            schema=schema,
            slices=tuple(segment.slices),
        )
        segment.cut(position)
        return part

    def _deletes(self, buffers: Buffers, position: Position) -> DeletesSync | None:
        if not buffers.deletes:
            return None
        part = DeletesSync(
            number=self._next_object(),
            deletes=sum(d.deletes for d in buffers.deletes),
            extends=buffers.deletes_extend,
            chunks=tuple(buffers.deletes),
        )
        buffers.deletes, buffers.delete_bytes = [], 0
        buffers.deletes_extend = position
        return part

    def _next_object(self) -> int:
        self._objects += 1
        return self._objects
