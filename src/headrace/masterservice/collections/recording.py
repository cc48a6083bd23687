"""The three transactions of a DDL: record a collection, record the next version, note positions.

A collection's vchannels enter the lists of their pchannels with its record, and so do their first
channel checkpoints: the last position of the pchannel's sequencer, below which nothing is theirs.
The transaction compares those lists, which carry the truncate marks: if the log was truncated
beyond the position meanwhile, it is asked for again.
"""

from collections.abc import Mapping

from headrace.frame.leader_store import LeaderStore
from headrace.masterservice.effects import NoteDdl, RecordCollection, RecordDdl
from headrace.meta.api import Compare, Delete, ModRevisionIs, Operation, Put
from headrace.meta.keys import Keys
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    CollectionState,
    DdlRecord,
    EpochRecord,
    PChannelRecord,
)
from headrace.model import codec
from headrace.model.channel import PChannel, Position, pchannel_of
from headrace.model.errors import Fenced
from headrace.model.ids import Revision


async def record_collection(
    store: LeaderStore,
    keys: Keys,
    effect: RecordCollection,
    positions: Mapping[PChannel, Position],
) -> Revision | None:
    """Record it; the revision, or None: surely not recorded by this, ask for positions again.

    `Unavailable`: the outcome is unknown; `find_collection` tells in time.
    """
    compare: list[Compare] = [
        ModRevisionIs(keys.collection(effect.record.id), 0),
        ModRevisionIs(keys.name(effect.record.name), 0),
    ]
    operations: list[Operation] = [
        *_record_operations(keys, effect.record, effect.ddl),
        Put(keys.name(effect.record.name), str(effect.record.id).encode()),
    ]
    for pchannel, position in positions.items():
        key = keys.pchannel(pchannel)
        found = (await store.get(key)).first
        carried = codec.decode(found.value, PChannelRecord, key) if found else PChannelRecord()
        if carried.truncation_mark > position.message_id:
            return None
        own = tuple(v for v in effect.record.vchannels if pchannel_of(v) == pchannel)
        after = PChannelRecord(
            vchannels=(*carried.vchannels, *own), truncation_mark=carried.truncation_mark
        )
        compare.append(ModRevisionIs(key, found.mod_revision if found else 0))
        operations.append(Put(key, codec.encode(after)))
    for vchannel in effect.record.vchannels:
        position = positions[pchannel_of(vchannel)]
        checkpoint = CheckpointRecord(position=position, start=position)
        operations += [
            Put(keys.checkpoint(vchannel), codec.encode(checkpoint)),
            Put(keys.epoch(vchannel), codec.encode(EpochRecord(epoch=0, server_id=0))),
        ]
    return await store.txn(compare, operations)


async def find_collection(
    store: LeaderStore, keys: Keys, record: CollectionRecord
) -> Revision | None:
    """The revision of a collection's record, None = it is not there. `Fenced` when its name is
    another's: what this leader knows is not what stands."""
    found = (await store.get(keys.collection(record.id))).first
    if found is not None:
        return found.mod_revision
    await _check_name(store, keys, record)
    return None


async def record_ddl(store: LeaderStore, keys: Keys, effect: RecordDdl) -> Revision:
    """Record the next version; the revision at which it stands."""
    collection = keys.collection(effect.record.id)
    compare: list[Compare] = [ModRevisionIs(collection, effect.revision)]
    operations = _record_operations(keys, effect.record, effect.ddl)
    if effect.old_name:
        new_name = keys.name(effect.record.name)
        compare.append(ModRevisionIs(new_name, 0))
        operations += [
            Put(new_name, str(effect.record.id).encode()),
            Delete(keys.name(effect.old_name)),
        ]
    while True:
        revision = await store.commit(compare, operations)
        if revision is None:
            revision = await _stands(store, collection, effect.record, effect.revision)
        if revision is not None:
            return revision
        if effect.old_name:
            await _check_name(store, keys, effect.record)


async def note_ddl(store: LeaderStore, keys: Keys, effect: NoteDdl) -> Revision:
    """Note the positions; the revision at which they stand. A drop frees the name."""
    collection = keys.collection(effect.record.id)
    operations = _record_operations(keys, effect.record, effect.ddl)
    if effect.record.state is CollectionState.DROPPED:
        operations += [
            Delete(keys.name(effect.record.name)),
            Delete(keys.client_state_prefix(effect.record.id), prefix=True),
        ]
    while True:
        revision = await store.commit([ModRevisionIs(collection, effect.revision)], operations)
        if revision is None:
            revision = await _stands(store, collection, effect.record, effect.revision)
        if revision is not None:
            return revision


def _record_operations(keys: Keys, record: CollectionRecord, ddl: DdlRecord) -> list[Operation]:
    return [
        Put(keys.collection(record.id), codec.encode(record)),
        Put(keys.ddl(record.id, ddl.version), codec.encode(ddl)),
    ]


async def _stands(
    store: LeaderStore, key: str, record: CollectionRecord, before: Revision
) -> Revision | None:
    """The revision of our own record, None = what we compared still stands."""
    found = (await store.get(key)).first
    if found is not None and found.value == codec.encode(record):
        return found.mod_revision
    if found is not None and found.mod_revision == before:
        return None
    raise Fenced(f"{key} is not what this leader wrote")


async def _check_name(store: LeaderStore, keys: Keys, record: CollectionRecord) -> None:
    found = (await store.get(keys.name(record.name))).first
    if found is not None and found.value != str(record.id).encode():
        raise Fenced(f"{found.key} is not what this leader wrote")
