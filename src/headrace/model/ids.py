"""Ids: names for the integers that identify things, and the hashes that identify requests.

Plain integers, so that columns of ids stay columns; the aliases say which integer is meant. The
hashes are pure functions of their arguments, so that a repeat of a request through any proxy is cut
in the same way and meets its first result.
"""

import hashlib
from typing import TypeAlias

CollectionId: TypeAlias = int
PartitionId: TypeAlias = int
SegmentId: TypeAlias = int
FieldId: TypeAlias = int
RowId: TypeAlias = int
ServerId: TypeAlias = int  # belongs to one process; a restarted process has another
MessageId: TypeAlias = int  # place of a message in its pchannel, 1 is the first
Term: TypeAlias = int  # message id of the TermStart that began it
Epoch: TypeAlias = int  # number of a vchannel's assignment
Version: TypeAlias = int  # of a collection: every DDL raises it by one
Revision: TypeAlias = int  # of the meta store

DEFAULT_PARTITION = "_default"  # Milvus's name of the partition that every collection has
ALL_PARTITIONS: PartitionId = 0  # where a delete names one; no partition has this id

PART_ID_BYTES = 16


def part_id(collection_id: CollectionId, request_id: bytes, part: int) -> bytes:
    """16 bytes: hash of (collection id, idempotency key or the proxy's request id, part)."""
    head = collection_id.to_bytes(8, "little") + part.to_bytes(4, "little")
    return hashlib.blake2b(head + request_id, digest_size=PART_ID_BYTES).digest()


def fingerprint(method: str, request: bytes) -> bytes:
    """16 bytes: hash of the client's request as it came, and of what it asks for: an insert and an
    upsert of the same rows are the same bytes."""
    hashed = hashlib.blake2b(method.encode() + b"\0", digest_size=16)
    hashed.update(request)
    return hashed.digest()
