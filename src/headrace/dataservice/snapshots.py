"""Snapshot lists: what of a collection counts, read at one revision and stored under its number.

**Owns** the derivation of a list from meta, and its way into the object store. **Does not own** the
format (`binlog.snapshot_list`), when a list is made (`lists`), or when old ones go (`garbage`).

Put if absent under the revision: the highest is the list, so a leader that was frozen changes
nothing, and a repeat finds its own. What is on a list was committed, so it exists (OB-1); every
checkpoint has passed its timestamp, so nothing at or below it is missing (SN-1). Segments of a
partition leave the lists in all vchannels as soon as one checkpoint has passed the partition's
drop, for unfinished ones lack rows from then on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.binlog import snapshot_list
from headrace.binlog.snapshot_list import ListedSegment, SnapshotList
from headrace.dataservice import rules
from headrace.dataservice.image import Image, read_image
from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import BundleRecord, CollectionRecord, DdlRecord, SegmentRecord
from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.errors import Conflict, NotFound
from headrace.model.ids import CollectionId, PartitionId, Revision, Version
from headrace.model.schema import Schema
from headrace.model.segment import FileRef
from headrace.objects.api import ObjectStore


@dataclass(frozen=True, slots=True)
class Derived:
    """A list, and what follows from it. `complete`: no row in it is above its timestamp; `over`:
    all vchannels are dropped, so that no later list differs."""

    list: SnapshotList
    complete: bool
    over: bool


async def derive(
    meta: MetaStore, keys: Keys, collection_id: CollectionId, vchannels: Sequence[VChannel]
) -> Derived:
    """The list as of now. `vchannels` are asked for where the collection's record has gone already.

    `NotFound` when there is neither record nor vchannel; `Unavailable`; `Compacted`.
    """
    key = keys.collection(collection_id)
    head = await meta.get(key)
    revision = rules.list_revision(head.revision)
    record = codec.decode(head.first.value, CollectionRecord, key) if head.first else None
    images = [
        await read_image(meta, keys, vchannel, revision=revision)
        for vchannel in (record.vchannels if record else vchannels)
    ]
    if not images:
        raise NotFound(f"collection {collection_id} is unknown", field="collection_id")
    history = await meta.range(keys.ddl_prefix(collection_id), revision=revision)
    ddls = [codec.decode(item.value, DdlRecord, item.key) for item in history.items]
    return list_of(collection_id, head.revision, record, images, ddls)


def list_of(
    collection_id: CollectionId,
    revision: Revision,
    record: CollectionRecord | None,
    images: Sequence[Image],
    ddls: Iterable[DdlRecord],
) -> Derived:
    """The list that these records, read at one revision, amount to."""
    gone = {p for i in images for p in i.checkpoint.value.dropped_partitions}
    segments: list[ListedSegment] = []
    bundles: list[str] = []
    records: list[SegmentRecord] = []
    deltas: list[FileRef] = []
    for image in images:
        live = {r.id: r for r in image.live_segments() if r.files and r.partition_id not in gone}
        whole = [b.value for b in image.bundles.values() if _is_whole(b.value, live)]
        inside = {r.id for b in whole for r in b.segments}
        bundles += [b.object_key for b in whole]
        segments += [listed(r) for r in live.values() if r.id not in inside]
        records += live.values()
        if not image.checkpoint.value.dropped:
            deltas += [d.value for d in image.deltas.values()]
    timestamp = rules.list_timestamp(i.checkpoint.value.position for i in images)
    made = SnapshotList(
        collection_id=collection_id,
        name=record.name if record else "",
        revision=revision,
        timestamp=timestamp,
        version=record.version if record else 0,
        schemas=_schemas(record, records, ddls),
        partitions=_partitions(record, gone),
        segments=tuple(sorted(segments, key=lambda s: s.id)),
        deltas=tuple(sorted(deltas, key=lambda d: d.key)),
        bundles=tuple(sorted(bundles)),
    )
    files = [f for r in records for f in r.files] + deltas
    return Derived(
        made,
        complete=all(f.last_timestamp <= timestamp for f in files),
        over=all(i.checkpoint.value.dropped for i in images),
    )


def listed(record: SegmentRecord) -> ListedSegment:
    """A segment as lists and bundles name it."""
    return ListedSegment(
        id=record.id,
        partition_id=record.partition_id,
        vchannel=record.vchannel,
        version=record.version,
        state=record.state,
        rows=record.rows,
        files=record.files,
    )


async def store(objects: ObjectStore, made: SnapshotList) -> None:
    """Store a list under its revision; done as well when it is there. `Unavailable`."""
    try:
        await objects.put(
            rules.list_key(made.collection_id, made.revision), [snapshot_list.encode(made)]
        )
    except Conflict:
        return  # an earlier attempt whose answer was lost: one revision has one list


def _is_whole(bundle: BundleRecord, live: dict[int, SegmentRecord]) -> bool:
    return bool(bundle.object_key) and all(r.id in live for r in bundle.segments)


def _schemas(
    record: CollectionRecord | None, records: Iterable[SegmentRecord], ddls: Iterable[DdlRecord]
) -> dict[Version, Schema]:
    named = {r.version for r in records}
    schemas = {d.version: d.schema for d in ddls if d.version in named}
    if record is not None:
        schemas[record.version] = record.schema
    return dict(sorted(schemas.items()))


def _partitions(record: CollectionRecord | None, gone: set[PartitionId]) -> dict[PartitionId, str]:
    if record is None:
        return {}
    return {p.id: p.name for p in record.partitions if p.id not in gone}
