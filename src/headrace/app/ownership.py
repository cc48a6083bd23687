"""Whose object store this is: one cluster writes to it, and that cluster writes to no other.

Ids, epochs and revisions are a cluster's own, so two clusters in one place would take each other's
keys, list each other's names and remove each other's files. And a cluster that was started on
another store would name files in its manifests that stand elsewhere. Both are refused at start.

The record in the meta store is written first, then the mark `owner.json` in the object store, then
the record says that the mark stands. A process that dies between two of these steps is followed by
one that finds its own id and goes on.
"""

import contextlib
from dataclasses import replace
from typing import Any

import orjson

from headrace.binlog.paths import OWNER_KEY
from headrace.meta.api import MetaStore, ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.records import StoreRecord
from headrace.model import codec
from headrace.model.errors import Conflict, Corrupt, Invalid, NotFound
from headrace.model.ids import Revision
from headrace.objects.api import ObjectStore
from headrace.runtime.host import Host


async def own_store(meta: MetaStore, keys: Keys, objects: ObjectStore, host: Host) -> None:
    """Make the store this cluster's, or see that it is. May be repeated, by many at once.

    `Invalid` when another cluster has it, or when this cluster's files are elsewhere; `Corrupt`
    when the mark is not what we wrote; `Unavailable` while a store is away.
    """
    record, revision = await _record(meta, keys, host)
    if not record.marked:
        # A mark that stands is of an earlier start, or another cluster's: what it says tells.
        with contextlib.suppress(Conflict):
            await objects.put(OWNER_KEY, [orjson.dumps({"cluster": record.cluster})])
    owner = await _owner(objects)
    if owner is None:
        raise Invalid(
            f"the object store {objects.uri} is not the one that this cluster writes to: it has no "
            f"{OWNER_KEY}. Set the store with which the cluster was first started",
            field="objects.uri",
        )
    if owner != record.cluster:
        raise Invalid(
            f"the object store {objects.uri} belongs to another cluster ({owner}; this one is "
            f"{record.cluster}): set another directory, bucket or prefix",
            field="objects.uri",
        )
    if not record.marked:
        marked = codec.encode(replace(record, marked=True))
        await meta.txn([ModRevisionIs(keys.store, revision)], [Put(keys.store, marked)])


async def _record(meta: MetaStore, keys: Keys, host: Host) -> tuple[StoreRecord, Revision]:
    found = (await meta.get(keys.store)).first
    if found is None:
        made = StoreRecord(cluster=host.token().hex(), marked=False)
        await meta.txn([ModRevisionIs(keys.store, 0)], [Put(keys.store, codec.encode(made))])
        found = (await meta.get(keys.store)).first
        assert found is not None, "it is never removed"
    return codec.decode(found.value, StoreRecord, keys.store), found.mod_revision


async def _owner(objects: ObjectStore) -> str | None:
    """The cluster that the mark names; None without a mark."""
    try:
        data = await objects.get(OWNER_KEY)
    except NotFound:
        return None
    try:
        told: Any = orjson.loads(data)
        return str(told["cluster"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Corrupt(f"{OWNER_KEY} in {objects.uri} is not what was written") from error
