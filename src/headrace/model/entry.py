"""Entries: the records inside a group, the unit in which the flowgraph thinks.

TermStart, Tick and Digest belong to the pchannel: every vchannel of it sees them. All others belong
to one vchannel. Timestamps rise strictly from entry to entry (TT-1). Bodies are buffers here,
passed through machines and never looked into (`binlog.body` reads them).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from headrace.model.channel import VChannel
from headrace.model.ids import (
    ALL_PARTITIONS,
    CollectionId,
    MessageId,
    PartitionId,
    RowId,
    SegmentId,
    ServerId,
    Version,
)
from headrace.model.timestamp import Timestamp

Body: TypeAlias = bytes | memoryview  # an Arrow IPC record batch message with its schema (a stream)
PartId: TypeAlias = bytes  # 16 bytes, see `part_id` in `headrace.model.ids`


def same_bytes(parts: Sequence[Body], data: Body) -> bool:
    """Whether the parts, joined, are these bytes."""
    view, place = memoryview(data), 0
    for part in parts:
        if view[place : place + len(part)] != memoryview(part).cast("B"):
            return False
        place += len(part)
    return place == len(view)


@dataclass(frozen=True, slots=True)
class TermStart:
    """A sequencer's first message; its message id is the term. It seals what older terms left."""

    timestamp: Timestamp
    server_id: ServerId
    address: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Moves time on in an idle pchannel."""

    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One part id of the window and where its first result stands."""

    part_id: PartId
    fingerprint: bytes
    first_sent: Timestamp
    message_id: MessageId
    index: int  # of the entry in its group
    keyed: bool  # with a client's idempotency key: kept for the long window


@dataclass(frozen=True, slots=True)
class Digest:
    """Ids and places since the digest before; with a tail of the log they make up the window."""

    timestamp: Timestamp
    previous: MessageId  # message id of the digest before, 0 = none
    floor: Timestamp  # all ids first sent above it are kept
    since: MessageId  # ids of messages above this one (up to the digest itself) are in it
    items: tuple[DigestItem, ...]


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """A run of an entry's rows that belongs to one segment; `opens` = the first that names it."""

    segment_id: SegmentId
    first_row: int
    rows: int
    opens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows and deletes of one part of a request. An upsert has both; a delete has no `rows`.

    All rows share the entry's timestamp. Row n has `_row_id` = first_row_id + n. `deletes` hide
    rows with a timestamp strictly below this entry's (DL-2), so an upsert hides the old row, not
    the new; those of `delete_partition_id` alone, or of all partitions (0). The two ids differ in
    an upsert by partition key: the old row may be in any partition.
    """

    vchannel: VChannel
    timestamp: Timestamp
    collection_id: CollectionId
    partition_id: PartitionId
    version: Version  # the rows are encoded by this version of the collection
    part_id: PartId
    fingerprint: bytes
    first_sent: Timestamp
    keyed: bool
    rows: int = 0
    first_row_id: RowId = 0
    segments: tuple[SegmentRows, ...] = ()
    body: Body = field(default=b"", repr=False)
    deletes: int = 0
    delete_body: Body = field(default=b"", repr=False)  # one column: the keys
    delete_partition_id: PartitionId = ALL_PARTITIONS

    @property
    def size_bytes(self) -> int:
        """Bytes of both bodies."""
        return len(self.body) + len(self.delete_body)


@dataclass(frozen=True, slots=True)
class Seal:
    """No more rows for this segment."""

    vchannel: VChannel
    timestamp: Timestamp
    segment_id: SegmentId


class DdlKind(StrEnum):
    """What a DDL does to its collection. Each raises the version, so it also seals the growing
    segments that it does not drop."""

    CREATE = "create"
    ALTER = "alter"  # the schema changes
    RENAME = "rename"
    DROP = "drop"
    CREATE_PARTITION = "create-partition"
    DROP_PARTITION = "drop-partition"


@dataclass(frozen=True, slots=True)
class Ddl:
    """A collection's version rises. Not above the present version: a no-op for everybody."""

    vchannel: VChannel
    timestamp: Timestamp
    collection_id: CollectionId
    version: Version
    kind: DdlKind
    schema: bytes = b""  # the collection's schema from here on, as `model.codec` writes it
    partition_id: PartitionId = 0  # of CREATE_PARTITION and DROP_PARTITION


Entry: TypeAlias = TermStart | Tick | Digest | Rows | Seal | Ddl
ChannelEntry: TypeAlias = Rows | Seal | Ddl  # belongs to one vchannel
