"""What the objects of a sync are called.

**Owns** which epoch and number stand in an object's key. **Does not own** the spelling of keys
(`binlog.paths`).
"""

from headrace.binlog import paths
from headrace.datanode.handoff import SegmentPart, SyncPack
from headrace.model.ids import Epoch


def named_epoch(epoch: Epoch) -> Epoch:
    """Keys name the epoch: a replaced writer never takes the key of its successor."""
    return epoch


def named_number(number: int) -> int:
    """Keys name a number: no two objects of one flowgraph share a key."""
    return number


def insert_key(pack: SyncPack, part: SegmentPart) -> str:
    """The key of a segment's rows in this sync."""
    return paths.insert_key(
        pack.collection_id,
        part.partition_id,
        part.segment_id,
        named_epoch(pack.epoch),
        named_number(part.number),
    )


def delta_key(pack: SyncPack, number: int) -> str:
    """The key of the deletes in this sync."""
    return paths.delta_key(
        pack.collection_id, pack.vchannel, named_epoch(pack.epoch), named_number(number)
    )
