"""The cut: buffers frozen into a sync pack, between any two entries.

**Owns** the numbers of syncs and objects of one flowgraph, and the pack that a cut makes. **Does
not own** which buffers are cut (`policy`).

All that stands in the cut buffers lies at or below the position that the flowgraph has consumed, so
that position is the new segment checkpoint, and the new delete checkpoint if deletes are in it.
"""

from collections.abc import Callable

from headrace.datanode.growing import policy
from headrace.datanode.growing.buffers import Buffers
from headrace.datanode.growing.segments import Segment
from headrace.datanode.handoff import (
    DeletedKeys,
    DeletesPart,
    SegmentPart,
    SegmentRows,
    SyncHead,
    SyncPack,
)
from headrace.model.ids import SegmentId, Version
from headrace.model.position import Position
from headrace.model.schema import Schema
from headrace.rpc.messages import Watch


class Cutter:
    """Makes the sync packs of one flowgraph."""

    def __init__(self, watch: Watch, schema_of: Callable[[Version], Schema]) -> None:
        self._collection_id = watch.collection_id
        self._vchannel = watch.vchannel
        self._epoch = watch.epoch
        self._schema_of = schema_of
        self._syncs = 0
        self._objects = 0

    def cut(self, buffers: Buffers, due: policy.Due, position: Position, now: float) -> SyncPack:
        """Freeze what is due, and all deletes with it. `Corrupt` when a schema is not known."""
        self._syncs += 1
        rows: dict[SegmentId, tuple[SegmentRows, ...]] = {}
        schemas: dict[SegmentId, Schema] = {}
        parts: list[SegmentPart] = []
        size_bytes = buffers.delete_bytes
        for segment_id in due.segments:
            segment = buffers.segments[segment_id]
            size_bytes += segment.size_bytes
            if segment.chunks:
                schemas[segment_id] = self._schema_of(segment.version)
            part, chunks = self._part(segment, position)
            parts.append(part)
            if chunks:
                rows[segment_id] = chunks
            if part.flush:
                segment.flushing = True
                buffers.sealed.pop(segment_id, None)
        deletes_part, deletes = self._deletes(buffers, position)
        firsts = [chunks[0].position for chunks in rows.values()]
        head = SyncHead(
            number=self._syncs,
            position=position,
            segments=tuple(parts),
            deletes=deletes_part,
            first_rows=min(firsts, key=lambda p: p.timestamp, default=None),
            first_deletes=deletes[0].position if deletes else None,
            begun_s=now,
        )
        return SyncPack(
            collection_id=self._collection_id,
            vchannel=self._vchannel,
            epoch=self._epoch,
            head=head,
            rows=rows,
            schemas=schemas,
            deletes=deletes,
            size_bytes=size_bytes,
        )

    def _part(
        self, segment: Segment, position: Position
    ) -> tuple[SegmentPart, tuple[SegmentRows, ...]]:
        extends, rows = segment.extends, segment.rows
        chunks = segment.cut(position)
        part = SegmentPart(
            segment_id=segment.id,
            partition_id=segment.partition_id,
            version=segment.version,
            number=self._next_object() if chunks else 0,
            rows=rows,
            start=segment.start,
            extends=extends,
            flush=policy.may_flush(segment.sealed),
        )
        return part, chunks

    def _deletes(
        self, buffers: Buffers, position: Position
    ) -> tuple[DeletesPart | None, tuple[DeletedKeys, ...]]:
        if not buffers.deletes:
            return None, ()
        deletes = tuple(buffers.deletes)
        part = DeletesPart(
            number=self._next_object(),
            deletes=sum(d.deletes for d in deletes),
            extends=buffers.deletes_extend,
        )
        buffers.deletes, buffers.delete_bytes = [], 0
        buffers.deletes_extend = position
        return part, deletes

    def _next_object(self) -> int:
        self._objects += 1
        return self._objects
