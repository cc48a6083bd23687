"""Ids of requests and their parts, and the hash that spreads keys over shards.

**Owns** `part_id`, `fingerprint`, and the shard of a key. **Does not own** the window in which ids
are kept (the sequencer). All are pure functions of their arguments, so that a repeat of a request
through any proxy is cut in the same way and meets its first result.
"""

import hashlib

from headrace.model.entry import PartId
from headrace.model.ids import CollectionId

PART_ID_BYTES = 16


def part_id(collection_id: CollectionId, request_id: bytes, part: int) -> PartId:
    """16 bytes: hash of (collection id, idempotency key or the proxy's request id, part)."""
    head = collection_id.to_bytes(8, "little") + part.to_bytes(4, "little")
    return hashlib.blake2b(head + request_id, digest_size=PART_ID_BYTES).digest()


def fingerprint(method: str, request: bytes) -> bytes:
    """16 bytes: hash of the client's request as it came, and of what it asks for: an insert and an
    upsert of the same rows are the same bytes."""
    hashed = hashlib.blake2b(method.encode() + b"\0", digest_size=16)
    hashed.update(request)
    return hashed.digest()
