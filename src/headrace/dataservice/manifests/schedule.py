"""When the manifest of each collection is made.

It is made at once when a caller waits for a timestamp that all checkpoints have passed, else at
most every `manifest_interval_s` after a change, or when checkpoints have moved and rows in files
lie above the timestamp of the last manifest. When checkpoints have moved and no such rows exist, it
is made at most every `idle_manifest_interval_s`. A new leader does not ask what earlier leaders
stored: it makes the first manifest of each collection anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.dataservice.effects import Effect, StoreManifest
from headrace.dataservice.events import ManifestNotStored, ManifestStored
from headrace.dataservice.settings import DataServiceSettings
from headrace.model.channel import VChannel
from headrace.model.ids import CollectionId
from headrace.model.timestamp import Timestamp

_RETRY_S = 1.0


@dataclass(slots=True)
class Scheduled:
    """One collection. Times are monotonic seconds."""

    vchannels: dict[VChannel, None] = field(default_factory=dict)
    timestamp: Timestamp = -1  # of the manifest that this leader stored last
    complete: bool = False
    changed: bool = True
    advanced: bool = False
    making: bool = False
    awaited: Timestamp = -1
    over: bool = False  # all is dropped, and the manifest says so: it is the last
    made_at: float = float("-inf")
    retry_at: float = float("-inf")


class ManifestSchedule:
    """All collections whose vchannels were seen, and who waits for their manifests."""

    def __init__(self, settings: DataServiceSettings) -> None:
        self._settings = settings
        self._table: dict[CollectionId, Scheduled] = {}
        self._awaited: dict[CollectionId, None] = {}

    def vchannels(self, collection_id: CollectionId) -> list[VChannel]:
        """The vchannels of a collection that were seen."""
        entry = self._table.get(collection_id)
        return sorted(entry.vchannels) if entry else []

    def collections(self) -> list[CollectionId]:
        return sorted(self._table)

    def timestamp(self, collection_id: CollectionId) -> Timestamp:
        """Of the last manifest of this collection that this leader stored, -1 = none."""
        entry = self._table.get(collection_id)
        return entry.timestamp if entry else -1

    def see(self, collection_id: CollectionId, vchannel: VChannel) -> None:
        self._table.setdefault(collection_id, Scheduled()).vchannels[vchannel] = None

    def keep_only(self, vchannels: Iterable[VChannel]) -> None:
        """Forget vchannels that meta no longer has, and collections without any."""
        present = frozenset(vchannels)
        for collection_id, entry in list(self._table.items()):
            entry.vchannels = {v: None for v in entry.vchannels if v in present}
            if not entry.vchannels:
                del self._table[collection_id]

    def changed(self, collection_id: CollectionId) -> None:
        """Its files, its schema, or who has been dropped."""
        entry = self._table.get(collection_id)
        if entry is not None:
            entry.changed = True

    def advanced(self, collection_id: CollectionId) -> None:
        """One of its checkpoints has moved."""
        entry = self._table.get(collection_id)
        if entry is not None:
            entry.advanced = True

    def await_timestamp(self, collection_id: CollectionId, timestamp: Timestamp) -> None:
        """A caller waits for a manifest at or above this."""
        entry = self._table.get(collection_id)
        if entry is not None:
            entry.awaited = max(entry.awaited, timestamp)
            self._awaited[collection_id] = None

    def due(self, passed: dict[CollectionId, Timestamp], now: float) -> list[Effect]:
        """Manifests to be made now. `passed`: the timestamp that all checkpoints of a collection
        have passed, of those in `awaited`."""
        making = sum(1 for c in self._table.values() if c.making)
        effects: list[Effect] = []
        for collection_id in (*self._awaited, *self._table):
            entry = self._table.get(collection_id)
            if making >= self._settings.manifests_at_once:
                break
            if entry is None:
                continue
            if self._is_due(entry, passed.get(collection_id, -1), now):
                making += 1
                entry.making, entry.changed, entry.advanced = True, False, False
                effects.append(StoreManifest(collection_id))
        return effects

    def awaited(self) -> list[CollectionId]:
        """Collections for whose manifest a caller waits."""
        for collection_id in list(self._awaited):
            entry = self._table.get(collection_id)
            if entry is None or entry.over or entry.awaited <= entry.timestamp:
                del self._awaited[collection_id]
        return list(self._awaited)

    def stored(self, event: ManifestStored, now: float) -> None:
        """A manifest stands in the object store."""
        entry = self._table.get(event.collection_id)
        if entry is not None:
            entry.making, entry.made_at = False, now
            entry.timestamp = max(entry.timestamp, event.timestamp)
            entry.complete, entry.over = event.complete, event.over

    def not_stored(self, event: ManifestNotStored, now: float) -> None:
        """It does not: once more, a little later."""
        entry = self._table.get(event.collection_id)
        if entry is not None:
            entry.making, entry.changed = False, True
            entry.retry_at = now + _RETRY_S

    def _is_due(self, entry: Scheduled, passed: Timestamp, now: float) -> bool:
        if entry.making or entry.over or now < entry.retry_at:
            return False
        if entry.awaited > entry.timestamp and passed >= entry.awaited:
            return True
        since = now - entry.made_at
        if entry.changed or (entry.advanced and not entry.complete):
            return since >= self._settings.manifest_interval_s
        return entry.advanced and since >= self._settings.idle_manifest_interval_s
