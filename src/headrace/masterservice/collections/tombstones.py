"""Tombstones: the records of dropped collections, until nothing needs them.

A flowgraph that replays from before the drop needs the schemas, so they stay until every vchannel's
checkpoint has passed it (it is marked dropped); and until the meta of the last segment and delta
log has gone, since a reader of the log may ask for them too. A checkpoint that is no longer there
has been cleared away by the data service after its last object.
"""

from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import Compare, Delete, ModRevisionIs, Operation, Put
from headrace.meta.keys import Keys
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    CollectionState,
    PChannelRecord,
)
from headrace.model import codec
from headrace.model.channel import VChannel, pchannel_of
from headrace.model.ids import CollectionId


async def remove_tombstone(store: LeaderStore, keys: Keys, collection_id: CollectionId) -> bool:
    """Remove the record of a dropped collection if nothing needs it; whether it has gone.

    `Fenced` when this process does not lead any more.
    """
    key = keys.collection(collection_id)
    found = (await store.get(key)).first
    if found is None:
        return True
    record = codec.decode(found.value, CollectionRecord, key)
    assert record.state is CollectionState.DROPPED, record
    compare: list[Compare] = [ModRevisionIs(key, found.mod_revision)]
    for vchannel in record.vchannels:
        comparison = await _passed(store, keys, vchannel)
        if comparison is None:
            return False
        compare.append(comparison)
    operations: list[Operation] = [
        Delete(key),
        Delete(keys.ddl_prefix(collection_id), prefix=True),
        Delete(keys.client_state_prefix(collection_id), prefix=True),
    ]
    for pchannel in sorted({pchannel_of(v) for v in record.vchannels}):
        carried = (await store.get(keys.pchannel(pchannel))).first
        if carried is None:
            continue
        before = codec.decode(carried.value, PChannelRecord, carried.key)
        after = PChannelRecord(
            vchannels=tuple(v for v in before.vchannels if v not in record.vchannels),
            truncation_mark=before.truncation_mark,
        )
        compare.append(ModRevisionIs(carried.key, carried.mod_revision))
        operations.append(Put(carried.key, codec.encode(after)))
    return await store.commit(compare, operations) is not None


async def _passed(store: LeaderStore, keys: Keys, vchannel: VChannel) -> Compare | None:
    """What to compare if this vchannel needs the record no more, else None."""
    key = keys.checkpoint(vchannel)
    found = (await store.get(key)).first
    if found is not None and not codec.decode(found.value, CheckpointRecord, key).dropped:
        return None
    for prefix in (
        keys.segments_prefix(vchannel),
        keys.bundles_prefix(vchannel),
        keys.deltas_prefix(vchannel),
    ):
        if (await store.range(prefix)).items:
            return None
    return ModRevisionIs(key, found.mod_revision if found else 0)
