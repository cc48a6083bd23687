"""Says what each entry means for its vchannel: rows by segment, deletes, Seals, drops.

Rows are routed by ranges of row numbers: no row is looked at, no byte is copied.
"""

from collections.abc import Iterable, Iterator

from headrace.datanode.dispatch.versions import SchemaVersions
from headrace.datanode.handoff import (
    CollectionDropped,
    DeletedKeys,
    Dispatched,
    HeldMessage,
    PartitionDropped,
    RowSlice,
    Sealed,
    VChannelEntry,
)
from headrace.model.channel import PChannel, Position
from headrace.model.entry import Ddl, DdlKind, Rows, Seal
from headrace.model.errors import Corrupt
from headrace.model.ids import CollectionId, MessageId


class Route:
    """The second stage of one flowgraph."""

    def __init__(
        self, pchannel: PChannel, collection_id: CollectionId, versions: SchemaVersions
    ) -> None:
        self._pchannel = pchannel
        self._collection_id = collection_id
        self._versions = versions

    def of(
        self, message_id: MessageId, entries: Iterable[VChannelEntry], message: HeldMessage
    ) -> Iterator[Dispatched]:
        """What the entries of a message mean, in their order; `Corrupt` when they cannot be."""
        for entry in entries:
            position = Position(self._pchannel, message_id, entry.timestamp)
            if isinstance(entry, Rows):
                yield from self._rows(entry, position, message)
            elif isinstance(entry, Seal):
                yield Sealed(position, entry.segment_id)
            elif isinstance(entry, Ddl):
                yield from self._ddl(entry, position)
            else:  # a TermStart seals what older terms left open
                yield Sealed(position, None)

    def _rows(self, entry: Rows, position: Position, message: HeldMessage) -> Iterator[Dispatched]:
        if entry.collection_id != self._collection_id:
            raise Corrupt(
                f"rows of collection {entry.collection_id} in {entry.vchannel}",
                channel=entry.vchannel,
            )
        self._versions.named(entry.version)
        for r in entry.segments:
            if r.first_row < 0 or r.rows < 1 or r.first_row + r.rows > entry.rows:
                raise Corrupt(
                    f"an entry of {entry.rows} rows gives rows {r.first_row} to "
                    f"{r.first_row + r.rows} to segment {r.segment_id}",
                    channel=entry.vchannel,
                )
            yield RowSlice(
                position=position,
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
        if entry.deletes:
            yield DeletedKeys(
                position=position,
                body=entry.delete_body,
                deletes=entry.deletes,
                partition_id=entry.delete_partition_id,
                size_bytes=len(entry.delete_body),
                message=message,
            )

    def _ddl(self, entry: Ddl, position: Position) -> Iterator[Dispatched]:
        if not self._versions.raised(entry):
            return
        if entry.kind is DdlKind.DROP:
            yield CollectionDropped(position)
            return
        if entry.kind is DdlKind.DROP_PARTITION:
            yield PartitionDropped(position, entry.partition_id)
        # A segment holds one version (SC-1). The sequencer closes with Seals what a DDL ends; this
        # closes what it may have left, and nothing else is open then.
        yield Sealed(position, None)
