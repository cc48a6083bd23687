"""The collector: reads what decides about a collection's objects, and deletes what may go.

It reads epochs, then references, then what is stored; manifests that were outlived go before files;
records of dropped segments go a round after their files, when those are seen to be gone; the keys
of a dropped vchannel go when no object of its collection is left, its epoch with them, so that no
writer of old can come back before. A round that ends early is taken up by the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.binlog import paths
from headrace.binlog.paths import bundle_vchannel, parse_revision
from headrace.dataservice.maintenance.drops import leave_pchannel
from headrace.dataservice.maintenance.garbage import (
    References,
    Round,
    data_prefixes,
    epochs_of,
    names_of,
    outlived,
    read_evidence,
    references_of,
)
from headrace.dataservice.state.channel_state import Stored, VChannelState, read_channel
from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import MAX_OPERATIONS, Delete, Operation
from headrace.meta.keys import Keys
from headrace.meta.records import CheckpointRecord, SegmentRecord
from headrace.model.channel import VChannel
from headrace.model.errors import NotFound
from headrace.model.ids import CollectionId, Revision
from headrace.model.segment import SegmentState
from headrace.objects.api import ObjectInfo, ObjectStore
from headrace.runtime.host import Clock

_BATCH = MAX_OPERATIONS - 8


@dataclass(frozen=True, slots=True)
class Collected:
    """What a round did. `needs_manifest`: something waits for a manifest that does not name it."""

    deleted: tuple[str, ...] = ()
    needs_manifest: bool = False


class Collector:
    """Rounds of one leadership."""

    def __init__(
        self, meta: LeaderStore, keys: Keys, objects: ObjectStore, clock: Clock, grace_s: float
    ) -> None:
        self._meta = meta
        self._keys = keys
        self._objects = objects
        self._clock = clock
        self._grace_ms = round(grace_s * 1000)
        self._missed: dict[str, Revision] = {}  # bundles, since when meta does not name them

    async def collect_names(self) -> None:
        """Delete name lists that were outlived. `Unavailable`."""
        manifests = await self._objects.list(paths.NAMES_PREFIX)
        await self._objects.delete(outlived(manifests, self._clock.wall_ms(), self._grace_ms))

    async def collect(
        self, collection_id: CollectionId, vchannels: Sequence[VChannel]
    ) -> Collected:
        """One round over one collection, whose vchannels are these.

        `Unavailable`, `NotLeading`; nothing is lost by a round that ends early.
        """
        epochs = await self._channels(vchannels)  # OB-1: the collector reads the epochs first,
        channels = await self._channels(vchannels)  # the references second
        manifests = await self._objects.list(paths.manifests_prefix(collection_id))
        stored: list[ObjectInfo] = []
        for prefix in data_prefixes(collection_id):
            stored += await self._objects.list(prefix)
        bundles = await self._objects.list(paths.bundles_prefix(collection_id))
        now_ms = self._clock.wall_ms()
        deciding = Round(
            epochs=epochs_of(epochs),
            references=references_of(channels),
            evidence=await read_evidence(self._objects, manifests, now_ms, self._grace_ms),
            now_ms=now_ms,
            grace_ms=self._grace_ms,
        )
        await self._objects.delete(outlived(manifests, now_ms, self._grace_ms))
        free = [info.key for info in stored if deciding.may_go(info)]
        free += [info.key for info in bundles if self._bundle_may_go(info, deciding, channels)]
        await self._objects.delete(free)
        for key in free:
            self._missed.pop(key, None)
        await self._forget(channels, {info.key for info in stored})
        if not stored and not bundles:
            await self._clear(channels, manifests, now_ms)
        highest = parse_revision(manifests[-1].key) if manifests else -1
        waits = _waits(deciding.references, stored, highest) or any(
            highest < since for since in self._missing(bundles)
        )
        return Collected(tuple(free), waits)

    async def _channels(self, vchannels: Sequence[VChannel]) -> list[VChannelState]:
        channels = []
        for vchannel in vchannels:
            try:
                channels.append(await read_channel(self._meta.store, self._keys, vchannel))
            except NotFound:
                continue  # cleared away meanwhile
        return channels

    def _bundle_may_go(
        self, info: ObjectInfo, deciding: Round, channels: Sequence[VChannelState]
    ) -> bool:
        if info.key in deciding.references.live:
            self._missed.pop(info.key, None)
            return False
        since = max((i.revision for i in channels), default=0)
        for channel in channels:
            if channel.vchannel == bundle_vchannel(info.key) and channel.checkpoint.value.dropped:
                since = channel.checkpoint.revision  # no list read since then names a bundle of it
        return deciding.bundle_may_go(info, self._missed.setdefault(info.key, since))

    def _missing(self, bundles: Sequence[ObjectInfo]) -> list[Revision]:
        """Since when meta does not name these, of those that it does not name."""
        return [self._missed[info.key] for info in bundles if info.key in self._missed]

    async def _forget(self, channels: Sequence[VChannelState], there: set[str]) -> None:
        for channel in channels:
            gone: list[Stored[SegmentRecord]] = [
                s
                for s in channel.segments.values()
                if channel.state_of(s.value) is SegmentState.DROPPED
                and _has_passed(channel.checkpoint.value, s.value)
                and there.isdisjoint(names_of(s.value.files))
            ]
            operations: list[Operation] = [Delete(s.key) for s in gone]
            compare = [s.unchanged for s in gone]
            if channel.checkpoint.value.dropped:
                for delta in channel.deltas.values():
                    if there.isdisjoint(names_of([delta.value])):
                        operations.append(Delete(delta.key))
                        compare.append(delta.unchanged)
            for start in range(0, len(operations), _BATCH):
                part = slice(start, start + _BATCH)
                await self._meta.txn(compare[part], operations[part])

    async def _clear(
        self, channels: Sequence[VChannelState], manifests: Sequence[ObjectInfo], now_ms: int
    ) -> None:
        """Remove what is left of a dropped collection once its last file has gone."""
        over = all(i.checkpoint.value.dropped for i in channels)
        empty = not any(i.segments or i.bundles or i.deltas for i in channels)
        read = bool(manifests) and now_ms - manifests[-1].modified_ms < self._grace_ms
        if not channels or not over or not empty or read:
            return
        await self._objects.delete([info.key for info in manifests])
        for channel in channels:
            await leave_pchannel(self._meta, self._keys, channel.vchannel)
            operations: list[Operation] = [
                Delete(channel.epoch.key),
                Delete(channel.checkpoint.key),
            ]
            operations.append(Delete(self._keys.deletes(channel.vchannel)))
            await self._meta.txn(
                [channel.epoch.unchanged, channel.checkpoint.unchanged], operations
            )


def _has_passed(checkpoint: CheckpointRecord, record: SegmentRecord) -> bool:
    # DL-1: dropped meta stays until the checkpoint passed, or replay stores its rows anew
    return checkpoint.dropped or checkpoint.position.timestamp >= record.checkpoint.timestamp


def _waits(references: References, stored: Sequence[ObjectInfo], highest: Revision) -> bool:
    """Whether a file that meta names no more is still in the highest manifest, or may be."""
    revisions = [references.left.get(info.key) for info in stored]
    return any(r is not None and highest < r for r in revisions)
