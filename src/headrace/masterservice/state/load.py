"""What a new leader reads before it acts: everything that was recorded, after its election.

At its first start the cluster's pool is recorded here too. Only a leader writes what is read here
(but for the lists of pchannels, which are read again for each transaction), and every transaction
of a leader compares the leader key. So what an earlier leader still has under way fails, and what
is read stands.
"""

from functools import partial

from headrace.frame.leader_store import LeaderStore
from headrace.log.api import Log
from headrace.masterservice.collections.ddl import Standing
from headrace.masterservice.machine import Loaded
from headrace.masterservice.sequencers.assignment import Stood
from headrace.masterservice.sequencers.pool import check_pool, wanted_pool
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.records import (
    LAYOUT_VERSION,
    CollectionRecord,
    DdlRecord,
    PoolRecord,
    SequencerRecord,
)
from headrace.model import codec
from headrace.model.channel import PChannel
from headrace.model.errors import Invalid
from headrace.runtime.host import Host
from headrace.runtime.retry import retry


async def load(store: LeaderStore, keys: Keys, host: Host) -> Loaded:
    """All that the machine begins with. `Corrupt` names the key that is not what we wrote."""
    pool = await read_pool(store, keys)
    timestamp_mark = await _number(store, keys.timestamp_mark)
    id_mark = await _number(store, keys.id_mark)
    stood = {
        item.key.removeprefix(keys.sequencers_prefix): Stood(
            codec.decode(item.value, SequencerRecord, item.key), item.mod_revision
        )
        for item in (await store.range(keys.sequencers_prefix)).items
    }
    found = await store.range(keys.collections_prefix)
    standing = {}
    undone = {}
    for item in found.items:
        record = codec.decode(item.value, CollectionRecord, item.key)
        standing[record.id] = Standing(record, item.mod_revision)
        if record.noted < record.version:
            key = keys.ddl(record.id, record.version)
            ddl = (await store.get(key)).first
            assert ddl is not None, f"{key} is recorded with its collection"
            undone[record.id] = codec.decode(ddl.value, DdlRecord, key)
    return Loaded(
        pchannels=pool,
        timestamp_mark=timestamp_mark,
        id_mark=id_mark,
        stood=stood,
        standing=standing,
        undone=undone,
        revision=found.revision,
        wall_ms=host.clock.wall_ms(),
        now=host.clock.monotonic(),
    )


async def ensure_pool(
    store: LeaderStore, keys: Keys, log: Log, settings: MasterServiceSettings, host: Host
) -> None:
    """Make the pool at first start; later, `Invalid` when the settings ask for another.

    The streams are made before the record and never after it: one that is missing later has been
    lost, and making it anew would hide that.
    """
    wanted = wanted_pool(settings)
    while True:
        layout = (await store.get(keys.layout)).first
        if layout is not None and layout.value != str(LAYOUT_VERSION).encode():
            raise Invalid(
                f"the cluster's layout is version {layout.value.decode()}; "
                f"this is Headrace for version {LAYOUT_VERSION}",
                field="layout",
            )
        found = await read_pool(store, keys)
        if found:
            check_pool(found, wanted)
            return
        for pchannel in wanted:
            await retry(partial(log.ensure, pchannel), host)
        record = PoolRecord(pchannels=wanted)
        operations = [Put(keys.pool, codec.encode(record))]
        if layout is None:
            operations.append(Put(keys.layout, str(LAYOUT_VERSION).encode()))
        await store.commit([ModRevisionIs(keys.pool, 0)], operations)


async def read_pool(store: LeaderStore, keys: Keys) -> tuple[PChannel, ...]:
    """The pchannels of the cluster, none before its first start."""
    found = (await store.get(keys.pool)).first
    return codec.decode(found.value, PoolRecord, keys.pool).pchannels if found else ()


async def _number(store: LeaderStore, key: str) -> int:
    found = (await store.get(key)).first
    return int(found.value) if found else 0
