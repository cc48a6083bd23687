"""The channel state: all that meta says of a vchannel, read at one revision.

Commits, watches, manifests and maintenance all rest on it. It is a value: what follows from a
transaction of ours is a new one. It may be kept only where the next transaction compares all that
it rests on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from headrace.meta.api import Compacted, KeyValue, MetaStore, ModRevisionIs
from headrace.meta.keys import Keys
from headrace.meta.records import (
    BundleRecord,
    CheckpointRecord,
    DeletesRecord,
    EpochRecord,
    SegmentRecord,
)
from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.errors import Corrupt, NotFound, Unavailable
from headrace.model.ids import Revision, SegmentId
from headrace.model.segment import FileRef, SegmentState

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """A record and the key that it stands under, with the revision of its last write."""

    key: str
    revision: Revision
    value: R

    @property
    def unchanged(self) -> ModRevisionIs:
        """True as long as it was not written since."""
        return ModRevisionIs(self.key, self.revision)


@dataclass(frozen=True, slots=True, kw_only=True)
class VChannelState:
    """A vchannel as it stood at `revision`. `deletes` is None when none was ever reported."""

    vchannel: VChannel
    revision: Revision
    epoch: Stored[EpochRecord]
    checkpoint: Stored[CheckpointRecord]
    deletes: Stored[DeletesRecord] | None = None
    deltas: dict[str, Stored[FileRef]] = field(default_factory=dict)  # by meta key
    segments: dict[SegmentId, Stored[SegmentRecord]] = field(default_factory=dict)
    bundles: dict[str, Stored[BundleRecord]] = field(default_factory=dict)  # by meta key

    def all_segments(self) -> Iterator[SegmentRecord]:
        """Segments with a key of their own, then bundled ones."""
        for stored in self.segments.values():
            yield stored.value
        for bundle in self.bundles.values():
            yield from bundle.value.segments

    def segment(self, segment_id: SegmentId) -> SegmentRecord | None:
        """One segment, wherever it stands."""
        stored = self.segments.get(segment_id)
        if stored is not None:
            return stored.value
        for bundle in self.bundles.values():
            for record in bundle.value.segments:
                if record.id == segment_id:
                    return record
        return None

    def state_of(self, record: SegmentRecord) -> SegmentState:
        """Of a segment, the drops that the channel checkpoint has passed included."""
        if is_dropped(record, self.checkpoint.value):
            return SegmentState.DROPPED
        return record.state

    def slim(self) -> "VChannelState":
        """Without what no commit looks at, which grows with the collection: the files in bundles
        and the delta logs."""
        bundles = {
            key: replace(bundle, value=_without_files(bundle.value))
            for key, bundle in self.bundles.items()
        }
        return replace(self, bundles=bundles, deltas={})

    def live_segments(self) -> Iterator[SegmentRecord]:
        """Those that are not dropped."""
        for record in self.all_segments():
            if self.state_of(record) is not SegmentState.DROPPED:
                yield record


def is_dropped(record: SegmentRecord, checkpoint: CheckpointRecord) -> bool:
    """Whether a segment is dropped; the channel checkpoint may say it before its own record."""
    # CP-2: segments are dropped when the checkpoint passes the drop, neither earlier nor later
    return record.state is SegmentState.DROPPED or checkpoint.drops(record.partition_id)


def _without_files(bundle: BundleRecord) -> BundleRecord:
    if all(not r.files for r in bundle.segments):
        return bundle
    return replace(bundle, segments=tuple(replace(r, files=()) for r in bundle.segments))


def stored(item: KeyValue, kind: type[R]) -> Stored[R]:
    """A key's record; `Corrupt` naming the key."""
    return Stored(item.key, item.mod_revision, codec.decode(item.value, kind, item.key))


async def read_channel(
    meta: MetaStore, keys: Keys, vchannel: VChannel, *, revision: Revision = 0
) -> VChannelState:
    """All of a vchannel at one revision: the present one, or the one named.

    `NotFound` when the vchannel is unknown at it, `Corrupt` when only half of it is there;
    `Unavailable`, also when that revision was compacted meanwhile.
    """
    try:
        return await _read(meta, keys, vchannel, revision)
    except Compacted as error:
        raise Unavailable(f"{vchannel} was compacted while it was read") from error


async def _read(
    meta: MetaStore, keys: Keys, vchannel: VChannel, revision: Revision
) -> VChannelState:
    head = await meta.get(keys.epoch(vchannel), revision=revision)
    at = revision or head.revision
    checkpoint = await meta.get(keys.checkpoint(vchannel), revision=at)
    if head.first is None and checkpoint.first is None:
        raise NotFound(f"{vchannel} is not a vchannel of any collection", field="vchannel")
    if head.first is None or checkpoint.first is None:
        missing = "epoch" if head.first is None else "checkpoint"
        raise Corrupt(f"{vchannel} has no {missing} record", channel=vchannel)
    deletes = await meta.get(keys.deletes(vchannel), revision=at)
    deltas = await meta.range(keys.deltas_prefix(vchannel), revision=at)
    segments = await meta.range(keys.segments_prefix(vchannel), revision=at)
    bundles = await meta.range(keys.bundles_prefix(vchannel), revision=at)
    records = [stored(item, SegmentRecord) for item in segments.items]
    return VChannelState(
        vchannel=vchannel,
        revision=at,
        epoch=stored(head.first, EpochRecord),
        checkpoint=stored(checkpoint.first, CheckpointRecord),
        deletes=stored(deletes.first, DeletesRecord) if deletes.first else None,
        deltas={item.key: stored(item, FileRef) for item in deltas.items},
        segments={r.value.id: r for r in records},
        bundles={item.key: stored(item, BundleRecord) for item in bundles.items},
    )
