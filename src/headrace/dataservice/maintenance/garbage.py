"""Garbage: which objects of a collection are needed no more.

The rules:
- The epochs are read first and the references second: what is of an older epoch and not named then
  can never be named again, for reports compare the epoch.
- Of the present epoch nothing goes that no meta names: it may be reported in a moment.
- A file that meta named goes when a manifest without it, read after meta no longer named it, has
  stood for the grace: the newest manifest that is old enough decides (`Evidence`). Older ones go
  first.
- A bundle that meta names no more leaves no mark there: it counts as gone from meta from the moment
  when this leader first missed it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from headrace.binlog import manifest, paths
from headrace.binlog.paths import DataKey, parse_data_key, parse_revision
from headrace.dataservice.state.channel_state import VChannelState
from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.errors import Invalid
from headrace.model.ids import Epoch, Revision, SegmentId
from headrace.model.segment import FileRef, SegmentState
from headrace.objects.api import ObjectInfo, ObjectStore

GONE = 1 << 62  # above every epoch: of a vchannel whose epoch has ended for good


@dataclass(frozen=True, slots=True)
class Evidence:
    """The newest manifest that has been there for the grace: its revision and all that it names."""

    revision: Revision = -1
    names: frozenset[str] = frozenset()


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class References:
    """What meta says of a collection's files at one moment.

    `left` maps each file of a dropped segment to the revision from which on meta no longer named
    it, None where that is not written down yet.
    """

    live: frozenset[str]
    left: Mapping[str, Revision | None] = field(default_factory=dict)
    homes: Mapping[SegmentId, VChannel] = field(default_factory=dict)


def references_of(channels: Sequence[VChannelState]) -> References:
    """From the channels of all vchannels of a collection."""
    live: set[str] = set()
    left: dict[str, Revision | None] = {}
    homes: dict[SegmentId, VChannel] = {}
    for channel in channels:
        dropped = channel.checkpoint.value.dropped
        since = channel.checkpoint.revision if dropped else None
        for record in channel.all_segments():
            homes[record.id] = channel.vchannel
            if channel.state_of(record) is not SegmentState.DROPPED:
                live.update(names_of(record.files))
                continue
            own = channel.segments.get(record.id)
            if not dropped and own is not None and own.value.state is SegmentState.DROPPED:
                left.update(dict.fromkeys(names_of(record.files), own.revision))
            else:
                left.update(dict.fromkeys(names_of(record.files), since))
        for delta in channel.deltas.values():
            if dropped:
                left.update(dict.fromkeys(names_of([delta.value]), since))
            else:
                live.update(names_of([delta.value]))
        for bundle in channel.bundles.values():
            live.add(bundle.value.object_key)
    return References(frozenset(live), left, homes)


def names_of(files: Iterable[FileRef]) -> list[str]:
    """The keys of files and of the statistics beside them."""
    return [k for f in files for k in (f.key, f.stats_key) if k]


def epochs_of(channels: Sequence[VChannelState]) -> dict[VChannel, Epoch]:
    """The present epochs; of a vchannel that ended for good every epoch is older."""
    return {i.vchannel: GONE if i.epoch.value.ended else i.epoch.value.epoch for i in channels}


async def read_evidence(
    objects: ObjectStore, manifests: Sequence[ObjectInfo], now_ms: int, grace_ms: int
) -> Evidence:
    """What the newest manifest that is old enough names, with its bundles; nothing if none is.

    `manifests` in order of their keys. `Unavailable`.
    """
    old_enough = [info for info in manifests if now_ms - info.modified_ms >= grace_ms]
    if not old_enough:
        return NO_EVIDENCE
    key = old_enough[-1].key
    found = codec.decode(await objects.get(key), manifest.Manifest, key)
    names = set(names_of([f for s in found.segments for f in s.files]))
    names.update(names_of(found.deltas))
    for bundle_key in found.bundles:
        names.add(bundle_key)
        bundle = codec.decode(await objects.get(bundle_key), manifest.Bundle, bundle_key)
        names.update(names_of([f for s in bundle.segments for f in s.files]))
    return Evidence(parse_revision(key), frozenset(names))


def outlived(manifests: Sequence[ObjectInfo], now_ms: int, grace_ms: int) -> list[str]:
    """Manifests or name lists whose successor has stood for the grace: no reader uses them now."""
    pairs = pairwise(manifests)
    return [old.key for old, new in pairs if now_ms - new.modified_ms >= grace_ms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All that decides about the objects of a collection."""

    epochs: Mapping[VChannel, Epoch]  # read before the references
    references: References
    evidence: Evidence
    now_ms: int
    grace_ms: int

    def may_go(self, info: ObjectInfo) -> bool:
        """Whether an object may be deleted now."""
        if info.key in self.references.live:
            return False
        if info.key in self.evidence.names:
            return False  # OB-1: a file goes when a manifest without it is stored
        if info.key in self.references.left:
            # Files of dropped meta go whatever their epoch.
            left = self.references.left[info.key]
            # OB-1: that manifest was read after the file left meta
            return left is not None and self.evidence.revision >= left
        try:
            key = parse_data_key(info.key)
        except Invalid:
            return False  # not ours
        old_enough = self.now_ms - info.modified_ms >= self.grace_ms
        # OB-1: the collector spares the epoch
        return old_enough and key.epoch < self._present_epoch(key)

    def bundle_may_go(self, info: ObjectInfo, missed_since: Revision) -> bool:
        """The same for a bundle, which meta was first seen not to name at `missed_since`."""
        return (
            info.key not in self.references.live
            and self.now_ms - info.modified_ms >= self.grace_ms
            and info.key not in self.evidence.names
            and self.evidence.revision >= missed_since
        )

    def _present_epoch(self, key: DataKey) -> Epoch:
        """Of the vchannel that the object belongs to; of a segment that no meta names any of the
        collection's may be meant, so the lowest counts."""
        vchannel = key.vchannel or self.references.homes.get(key.segment_id, "")
        if vchannel in self.epochs:
            return self.epochs[vchannel]
        return min(self.epochs.values(), default=GONE)


def data_prefixes(collection_id: int) -> list[str]:
    """Where the files of a collection stand."""
    return [f"{prefix}{collection_id}/" for prefix in paths.DATA_PREFIXES]
