"""Drops: what follows once a checkpoint has passed the drop of a collection or a partition.

Each step is a transaction that compares what it read and may be left undone: the next round finds
it again.
"""

from dataclasses import replace

from headrace.binlog import paths
from headrace.binlog.manifest import Bundle
from headrace.dataservice.manifests.manifest import manifest_segment
from headrace.dataservice.state.channel_state import Stored, VChannelState, is_dropped, read_channel
from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import MAX_OPERATIONS, Delete, ModRevisionIs, Operation, Put
from headrace.meta.keys import Keys
from headrace.meta.records import BundleRecord, PChannelRecord, SegmentRecord
from headrace.model import codec
from headrace.model.channel import VChannel, parse_vchannel, pchannel_of
from headrace.model.errors import Conflict, NotFound
from headrace.model.segment import SegmentState
from headrace.objects.api import ObjectStore

_BATCH = MAX_OPERATIONS - 8


async def follow_drop(
    meta: LeaderStore, keys: Keys, objects: ObjectStore, vchannel: VChannel
) -> bool:
    """One round for one vchannel; whether its meta was changed. `Unavailable`, `NotLeading`."""
    try:
        channel = await read_channel(meta.store, keys, vchannel)
    except NotFound:
        return False
    changed = await _mark(meta, channel)
    for bundle in channel.bundles.values():
        changed |= await _unbundle(meta, keys, objects, channel, bundle)
    if channel.checkpoint.value.dropped:
        await leave_pchannel(meta, keys, vchannel)
    return changed


async def _mark(meta: LeaderStore, channel: VChannelState) -> bool:
    told = [s for s in channel.segments.values() if _is_to_mark(s.value, channel)]
    for start in range(0, len(told), _BATCH):
        part = told[start : start + _BATCH]
        writes = [Put(s.key, codec.encode(as_dropped(s.value))) for s in part]
        await meta.txn([s.unchanged for s in part], writes)
    return bool(told)


async def _unbundle(
    meta: LeaderStore,
    keys: Keys,
    objects: ObjectStore,
    channel: VChannelState,
    bundle: Stored[BundleRecord],
) -> bool:
    """Take dropped segments out of a bundle, and give the rest a new object."""
    dropped = [r for r in bundle.value.segments if _is_to_mark(r, channel)]
    if not dropped:
        return False
    rest = tuple(r for r in bundle.value.segments if r not in dropped)
    operations: list[Operation] = [
        Put(keys.segment(channel.vchannel, r.id), codec.encode(as_dropped(r))) for r in dropped
    ]
    absent = [ModRevisionIs(keys.segment(channel.vchannel, r.id), 0) for r in dropped]
    if rest:
        number = int(bundle.key.rsplit("/", 1)[1])
        key = await store_bundle(meta, objects, channel, number, rest)
        after = BundleRecord(segments=rest, object_key=key)
        operations.append(Put(bundle.key, codec.encode(after)))
    else:
        operations.append(Delete(bundle.key))
    await meta.txn([bundle.unchanged, *absent], operations)
    return True


async def store_bundle(
    meta: LeaderStore,
    objects: ObjectStore,
    channel: VChannelState,
    number: int,
    records: tuple[SegmentRecord, ...],
) -> str:
    """The key of a new bundle object with these segments.

    Its name has the leadership and the revision that it was read at: one name, one content.
    """
    collection_id = parse_vchannel(channel.vchannel).collection_id
    name = f"{number}-{meta.leader.revision}-{channel.revision}"
    key = paths.bundle_key(collection_id, channel.vchannel, name)
    content = Bundle(segments=tuple(manifest_segment(r) for r in records))
    try:
        await objects.put(key, [codec.encode(content)])
    except Conflict:
        return key
    return key


async def leave_pchannel(meta: LeaderStore, keys: Keys, vchannel: VChannel) -> None:
    """Take a dropped vchannel off its pchannel's list."""
    key = keys.pchannel(pchannel_of(vchannel))
    found = (await meta.store.get(key)).first
    if found is None:
        return
    record = codec.decode(found.value, PChannelRecord, key)
    if vchannel in record.vchannels:
        rest = tuple(v for v in record.vchannels if v != vchannel)
        after = replace(record, vchannels=rest)
        await meta.txn([ModRevisionIs(key, found.mod_revision)], [Put(key, codec.encode(after))])


def as_dropped(record: SegmentRecord) -> SegmentRecord:
    """The record of a segment, saying itself that it is dropped."""
    return replace(record, state=SegmentState.DROPPED)


def _is_to_mark(record: SegmentRecord, channel: VChannelState) -> bool:
    marked = record.state is SegmentState.DROPPED
    return not marked and is_dropped(record, channel.checkpoint.value)
