"""Entries to what they mean: rows by segment, deletes, seals, drops.

**Owns** the meaning of each kind of entry for one vchannel. **Does not own** buffers (`growing`) or
what was stored before (`consume.fresh`). Rows are routed by ranges of row numbers: no row is looked
at, no byte is copied.
"""

from collections.abc import Iterator

from headrace.datanode.dispatch.versions import Versions
from headrace.datanode.handoff import (
    CollectionDropped,
    DeletedKeys,
    Dispatched,
    Entries,
    HeldMessage,
    PartitionDropped,
    Sealed,
    SegmentRows,
    Taken,
)
from headrace.model.entry import Ddl, DdlKind, Rows, Seal
from headrace.model.errors import Corrupt
from headrace.model.ids import CollectionId


class Route:
    """The second stage of one flowgraph."""

    def __init__(self, collection_id: CollectionId, versions: Versions) -> None:
        self._collection_id = collection_id
        self._versions = versions

    def of(self, entries: Entries) -> Iterator[Dispatched]:
        """What the entries of a message mean, in their order; `Corrupt` when they cannot be."""
        for taken in entries.taken:
            entry = taken.entry
            if isinstance(entry, Rows):
                yield from self._rows(taken, entry, entries.message)
            elif isinstance(entry, Seal):
                yield Sealed(taken.position, entry.segment_id)
            elif isinstance(entry, Ddl):
                yield from self._ddl(taken, entry)
            else:  # SG-1: TermStart seals what older terms left open
                yield Sealed(taken.position, None)

    def _rows(self, taken: Taken, entry: Rows, message: HeldMessage) -> Iterator[Dispatched]:
        if entry.collection_id != self._collection_id:
            raise Corrupt(
                f"rows of collection {entry.collection_id} in {entry.vchannel}",
                channel=entry.vchannel,
            )
        self._versions.named(entry.version)
        for r in taken.ranges:
            if r.first_row < 0 or r.rows < 1 or r.first_row + r.rows > entry.rows:
                raise Corrupt(
                    f"an entry of {entry.rows} rows gives rows {r.first_row} to "
                    f"{r.first_row + r.rows} to segment {r.segment_id}",
                    channel=entry.vchannel,
                )
            yield SegmentRows(
                position=taken.position,
                segment_id=r.segment_id,
                partition_id=entry.partition_id,
                version=entry.version,
                opens=r.opens,
                body=entry.body,
                first_row=r.first_row,
                rows=r.rows,
                first_row_id=entry.first_row_id,
                size_bytes=len(entry.body) * r.rows // entry.rows,
                message=message,
            )
        if taken.deletes:
            yield DeletedKeys(
                position=taken.position,
                body=entry.delete_body,
                deletes=entry.deletes,
                partition_id=entry.delete_partition_id,
                size_bytes=len(entry.delete_body),
                message=message,
            )

    def _ddl(self, taken: Taken, entry: Ddl) -> Iterator[Dispatched]:
        if not self._versions.raised(entry):
            return
        if entry.kind is DdlKind.DROP:
            yield CollectionDropped(taken.position)
            return
        if entry.kind is DdlKind.DROP_PARTITION:
            yield PartitionDropped(taken.position, entry.partition_id)
        # A segment holds one version (SC-1). The sequencer closes with Seals what a DDL ends; this
        # closes what it may have left, and nothing else is open then.
        yield Sealed(taken.position, None)
