"""Bundles: flushed segments of a vchannel, about a hundred in one key of the meta store.

A flushed segment gains nothing (SG-1), so it needs no key of its own; few keys keep the meta store
small, and manifests name one object for the whole bundle.

The object is stored first (`drops.store_bundle`: what a drop leaves of a bundle is stored in the
same way), then one transaction compares each segment's key: what was dropped, replaced or bundled
meanwhile makes it fail, and the object is garbage.
"""

from headrace.dataservice.maintenance.drops import store_bundle
from headrace.dataservice.state.channel_state import Stored, VChannelState, read_channel
from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import Delete, ModRevisionIs, Operation, Put
from headrace.meta.keys import Keys
from headrace.meta.records import BundleRecord, SegmentRecord
from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.errors import NotFound
from headrace.model.segment import SegmentState
from headrace.objects.api import ObjectStore

_BYTES_MOST = 512_000  # of one bundle's record; etcd takes 1.5 MB


async def bundle_flushed(
    meta: LeaderStore, keys: Keys, objects: ObjectStore, vchannel: VChannel, size: int
) -> bool:
    """Bundle the oldest flushed segments if there are enough; whether that was done.

    `Unavailable`, `NotLeading`.
    """
    found = await meta.store.range(keys.segments_prefix(vchannel))
    if len(found.items) < size:
        return False
    try:
        channel = await read_channel(meta.store, keys, vchannel)
    except NotFound:
        return False
    chosen = choose(channel, size)
    if not chosen:
        return False
    number = 1 + max((int(k.rsplit("/", 1)[1]) for k in channel.bundles), default=0)
    records = tuple(s.value for s in chosen)
    key = keys.bundle(vchannel, number)
    object_key = await store_bundle(meta, objects, channel, number, records)
    record = BundleRecord(segments=records, object_key=object_key)
    compare = [ModRevisionIs(key, 0), *(s.unchanged for s in chosen)]
    operations: list[Operation] = [Put(key, codec.encode(record))]
    operations += [Delete(s.key) for s in chosen]
    return await meta.txn(compare, operations) is not None


def choose(channel: VChannelState, size: int) -> list[Stored[SegmentRecord]]:
    """The oldest flushed segments, `size` of them or as many as a record takes; none when there
    are fewer than `size`."""
    flushed = [
        s for s in channel.segments.values() if channel.state_of(s.value) is SegmentState.FLUSHED
    ]
    if len(flushed) < size:
        return []
    chosen: list[Stored[SegmentRecord]] = []
    size_bytes = 0
    for candidate in sorted(flushed, key=lambda s: s.value.id)[:size]:
        size_bytes += len(codec.encode(candidate.value))
        if size_bytes > _BYTES_MOST:
            break
        chosen.append(candidate)
    return chosen if len(chosen) > 1 else []
