"""Manifests: what of a collection counts, read at one revision and stored under its number.

It is put if absent under the revision, and the highest counts: so a leader that was frozen changes
nothing, and a repeat finds its own. What a manifest names was committed, so it exists (OB-1); every
checkpoint has passed its timestamp, so nothing at or below it is missing (SN-1).

A drop stands at another timestamp in each vchannel. Once one checkpoint has passed it, rows are
missing there; so no manifest is made until its timestamp is above the drop in all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.binlog import paths
from headrace.binlog.manifest import Manifest, ManifestSegment
from headrace.dataservice.state.channel_state import VChannelState, read_channel
from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import BundleRecord, CollectionRecord, DdlRecord, SegmentRecord
from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.entry import DdlKind
from headrace.model.errors import Conflict, NotFound
from headrace.model.ids import CollectionId, PartitionId, Revision, Version
from headrace.model.schema import Schema
from headrace.model.segment import FileRef
from headrace.model.timestamp import Timestamp
from headrace.objects.api import ObjectStore

WHOLE_COLLECTION = 0  # where a drop names a partition


@dataclass(frozen=True, slots=True)
class Derived:
    """A manifest, and what follows from it. `complete`: no row in it is above its timestamp;
    `over`: all vchannels are dropped, so that no later manifest differs."""

    manifest: Manifest
    complete: bool
    over: bool


@dataclass(frozen=True, slots=True)
class HeldBack:
    """No manifest can be made now, because a drop has been passed in some vchannels and not in all.
    One can be made when the checkpoints of these vchannels have passed these timestamps (0 = not
    known yet)."""

    awaits: tuple[tuple[VChannel, Timestamp], ...]


async def derive(
    meta: MetaStore, keys: Keys, collection_id: CollectionId, vchannels: Sequence[VChannel]
) -> Derived | HeldBack:
    """The manifest as of now. `vchannels` are read where the collection's record has gone already.

    `NotFound` when there is neither record nor vchannel; `Unavailable`; `Compacted`.
    """
    key = keys.collection(collection_id)
    head = await meta.get(key)
    revision = head.revision  # SN-1: a manifest is read at one revision over all pages
    record = codec.decode(head.first.value, CollectionRecord, key) if head.first else None
    channels = [
        await read_channel(meta, keys, vchannel, revision=revision)
        for vchannel in (record.vchannels if record else vchannels)
    ]
    if not channels:
        raise NotFound(f"collection {collection_id} is unknown", field="collection_id")
    history = await meta.range(keys.ddl_prefix(collection_id), revision=revision)
    ddls = [codec.decode(item.value, DdlRecord, item.key) for item in history.items]
    return manifest_of(collection_id, head.revision, record, channels, ddls)


def manifest_of(
    collection_id: CollectionId,
    revision: Revision,
    record: CollectionRecord | None,
    channels: Sequence[VChannelState],
    ddls: Iterable[DdlRecord],
) -> Derived | HeldBack:
    """The manifest that follows from these records, all read at one revision."""
    awaits = half_passed(channels, ddls)
    if awaits:
        return HeldBack(awaits)
    gone = {p for i in channels for p in i.checkpoint.value.dropped_partitions}
    over = all(i.checkpoint.value.dropped for i in channels)
    segments: list[ManifestSegment] = []
    bundles: list[str] = []
    records: list[SegmentRecord] = []
    deltas: list[FileRef] = []
    for channel in channels:
        live = {r.id: r for r in channel.live_segments() if r.files and r.partition_id not in gone}
        whole = [b.value for b in channel.bundles.values() if _is_whole(b.value, live)]
        inside = {r.id for b in whole for r in b.segments}
        bundles += [b.object_key for b in whole]
        segments += [manifest_segment(r) for r in live.values() if r.id not in inside]
        records += live.values()
        if not channel.checkpoint.value.dropped:
            deltas += [d.value for d in channel.deltas.values()]
    timestamp = manifest_timestamp(channels)
    made = Manifest(
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
        over=over,
    )


def manifest_timestamp(channels: Sequence[VChannelState]) -> Timestamp:
    """Up to which everything is in meta. Where all is dropped nothing can follow, so the highest
    checkpoint counts."""
    if all(i.checkpoint.value.dropped for i in channels):
        return max(i.checkpoint.value.position.timestamp for i in channels)
    # SN-1: a snapshot at T exists once every vchannel's checkpoint has passed T
    return min(i.checkpoint.value.position.timestamp for i in channels)


def half_passed(
    channels: Sequence[VChannelState], ddls: Iterable[DdlRecord]
) -> tuple[tuple[VChannel, Timestamp], ...]:
    """What must be passed before the next manifest: the last place of each drop which a checkpoint
    has passed, in every vchannel that is not there yet."""
    places: dict[PartitionId, Timestamp] = {}
    for ddl in ddls:
        if ddl.kind in (DdlKind.DROP, DdlKind.DROP_PARTITION):
            stands = [p.timestamp for p in ddl.positions.values()] if ddl.noted else []
            places[ddl.partition_id] = max(stands, default=0)
    checkpoints = [i.checkpoint.value for i in channels]
    awaits: dict[VChannel, Timestamp] = {}
    if any(c.dropped for c in checkpoints) and not all(c.dropped for c in checkpoints):
        for channel, checkpoint in zip(channels, checkpoints, strict=True):
            if not checkpoint.dropped:
                awaits[channel.vchannel] = places.get(WHOLE_COLLECTION, 0)
    for partition_id in sorted({p for c in checkpoints for p in c.dropped_partitions}):
        place = places.get(partition_id, 0)
        for channel, checkpoint in zip(channels, checkpoints, strict=True):
            passed = checkpoint.drops(partition_id) and checkpoint.position.passed(place)
            if not (passed and place) and not checkpoint.dropped:
                awaits[channel.vchannel] = max(place, awaits.get(channel.vchannel, 0))
    return tuple(awaits.items())


def manifest_segment(record: SegmentRecord) -> ManifestSegment:
    """A segment as manifests and bundles name it."""
    return ManifestSegment(
        id=record.id,
        partition_id=record.partition_id,
        vchannel=record.vchannel,
        version=record.version,
        state=record.state,
        rows=record.rows,
        files=record.files,
    )


async def store(objects: ObjectStore, made: Manifest) -> None:
    """Store a manifest under its revision; done as well when it is there. `Unavailable`."""
    # OB-1: manifests are named by revision, the highest counts
    key = paths.manifest_key(made.collection_id, made.revision)
    try:
        await objects.put(key, [codec.encode(made)])
    except Conflict:
        return  # an earlier attempt whose answer was lost: one revision has one manifest


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
