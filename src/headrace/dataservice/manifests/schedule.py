"""Lists: when a collection's manifest is made.

**Owns** what of each collection is listed, what has changed since, and who waits for a list. **Does
not own** what is on a list (`snapshots`).

A list is made at once when somebody waits for a timestamp that all checkpoints have passed, else at
most every `list_interval_s` after a change; moved checkpoints alone count only while rows that are
in files lie above the listed timestamp. What was made by an earlier leader is not asked for: the
first list of each collection is made anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.dataservice.effects import Effect, StoreList
from headrace.dataservice.events import ListNotStored, ListStored
from headrace.dataservice.settings import DataServiceSettings
from headrace.model.channel import VChannel
from headrace.model.ids import CollectionId
from headrace.model.timestamp import Timestamp

_RETRY_S = 1.0


@dataclass(slots=True)
class Listed:
    """One collection. Times are monotonic seconds."""

    vchannels: dict[VChannel, None] = field(default_factory=dict)
    timestamp: Timestamp = -1  # of the list that this leader stored last
    complete: bool = False
    changed: bool = True
    advanced: bool = False
    making: bool = False
    awaited: Timestamp = -1
    over: bool = False  # all is dropped and listed so: there is no later list
    made_at: float = float("-inf")
    retry_at: float = float("-inf")


class Lists:
    """The collections and their lists."""

    def __init__(self, settings: DataServiceSettings) -> None:
        self._settings = settings
        self._table: dict[CollectionId, Listed] = {}
        self._waiting: dict[CollectionId, None] = {}

    def vchannels(self, collection_id: CollectionId) -> list[VChannel]:
        """The vchannels of a collection that were seen."""
        listed = self._table.get(collection_id)
        return sorted(listed.vchannels) if listed else []

    def collections(self) -> list[CollectionId]:
        """All that were seen."""
        return sorted(self._table)

    def timestamp(self, collection_id: CollectionId) -> Timestamp:
        """Up to which a list of this collection is stored, as far as this leader knows."""
        listed = self._table.get(collection_id)
        return listed.timestamp if listed else -1

    def see(self, collection_id: CollectionId, vchannel: VChannel) -> None:
        """A vchannel of a collection is there."""
        self._table.setdefault(collection_id, Listed()).vchannels[vchannel] = None

    def keep_only(self, vchannels: Iterable[VChannel]) -> None:
        """Forget vchannels that meta no longer has, and collections without any."""
        present = frozenset(vchannels)
        for collection_id, listed in list(self._table.items()):
            listed.vchannels = {v: None for v in listed.vchannels if v in present}
            if not listed.vchannels:
                del self._table[collection_id]

    def changed(self, collection_id: CollectionId) -> None:
        """Its files, its schema, or who has been dropped."""
        listed = self._table.get(collection_id)
        if listed is not None:
            listed.changed = True

    def advanced(self, collection_id: CollectionId) -> None:
        """One of its checkpoints has moved."""
        listed = self._table.get(collection_id)
        if listed is not None:
            listed.advanced = True

    def awaited(self, collection_id: CollectionId, timestamp: Timestamp) -> None:
        """Somebody waits for a list at or above this."""
        listed = self._table.get(collection_id)
        if listed is not None:
            listed.awaited = max(listed.awaited, timestamp)
            self._waiting[collection_id] = None

    def due(self, passed: dict[CollectionId, Timestamp], now: float) -> list[Effect]:
        """Lists to be made now. `passed`: the timestamp that all checkpoints of a collection have
        passed, of those somebody waits for."""
        making = sum(1 for c in self._table.values() if c.making)
        effects: list[Effect] = []
        for collection_id in (*self._waiting, *self._table):
            listed = self._table.get(collection_id)
            if making >= self._settings.lists_at_once:
                break
            if listed is None:
                continue
            if self._is_due(listed, passed.get(collection_id, -1), now):
                making += 1
                listed.making, listed.changed, listed.advanced = True, False, False
                effects.append(StoreList(collection_id))
        return effects

    def waiting(self) -> list[CollectionId]:
        """Collections for whose list somebody waits."""
        for collection_id in list(self._waiting):
            listed = self._table.get(collection_id)
            if listed is None or listed.over or listed.awaited <= listed.timestamp:
                del self._waiting[collection_id]
        return list(self._waiting)

    def stored(self, event: ListStored, now: float) -> None:
        """A list stands in the object store."""
        listed = self._table.get(event.collection_id)
        if listed is not None:
            listed.making, listed.made_at = False, now
            listed.timestamp = max(listed.timestamp, event.timestamp)
            listed.complete, listed.over = event.complete, event.over

    def not_stored(self, event: ListNotStored, now: float) -> None:
        """It does not: once more, a little later."""
        listed = self._table.get(event.collection_id)
        if listed is not None:
            listed.making, listed.changed = False, True
            listed.retry_at = now + _RETRY_S

    def _is_due(self, listed: Listed, passed: Timestamp, now: float) -> bool:
        if listed.making or listed.over or now < listed.retry_at:
            return False
        if listed.awaited > listed.timestamp and passed >= listed.awaited:
            return True
        since = now - listed.made_at
        if listed.changed or (listed.advanced and not listed.complete):
            return since >= self._settings.list_interval_s
        return listed.advanced and since >= self._settings.idle_list_interval_s
