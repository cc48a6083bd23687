"""Flushes: whether a timestamp is flushed, derived anew from what stands each time it is asked.

A flush up to timestamp T is done when the checkpoints of all vchannels of the collection have
passed T and a manifest at or above T is stored. Nothing is kept of a flush: the client brings its
timestamp back, and a new leader answers the same. Who asks waits, so nodes are told to report their
checkpoints, and the manifest is made at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.dataservice.manifests.schedule import ManifestSchedule
from headrace.dataservice.placement.channels import Channels
from headrace.model.ids import CollectionId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import FlushStateResponse


@dataclass(frozen=True, slots=True)
class Flushes:
    """Asks the tables of channels and manifests."""

    channels: Channels
    manifests: ManifestSchedule

    def state(
        self, collection_ids: Sequence[CollectionId], timestamp: Timestamp
    ) -> FlushStateResponse:
        """Of those that were seen; sets in motion what is missing."""
        seen = [i for i in collection_ids if self.manifests.vchannels(i)]
        waits_for = [w for i in seen if (w := self._waits_for(i, timestamp))]
        return FlushStateResponse(flushed=not waits_for, waits_for="; ".join(waits_for[:3]))

    def passed(self, collection_id: CollectionId) -> Timestamp:
        """The timestamp that all checkpoints of the collection have passed."""
        channels = [self.channels.get(v) for v in self.manifests.vchannels(collection_id)]
        passed = [c.timestamp for c in channels if c is not None]
        return min(passed, default=-1)

    def _waits_for(self, collection_id: CollectionId, timestamp: Timestamp) -> str:
        behind = ""
        channels = [self.channels.get(v) for v in self.manifests.vchannels(collection_id)]
        there = [c for c in channels if c is not None]
        if any(c.dropped for c in there):
            return ""  # a collection that is dropped has nothing to wait for
        for channel in there:
            if channel.timestamp < timestamp:
                self.channels.await_timestamp(channel.vchannel, timestamp)
                state = channel.reported
                blocker = state.blocker if state else channel.trouble or "nobody watches it"
                behind = behind or f"the checkpoint of {channel.vchannel} ({blocker or 'moving'})"
        self.manifests.await_timestamp(collection_id, timestamp)
        if behind:
            return behind
        if self.manifests.timestamp(collection_id) < timestamp:
            return f"a manifest of collection {collection_id}"
        return ""
