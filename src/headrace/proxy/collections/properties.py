"""Properties of a collection: which are served, and what they are now.

Served are those that only tell a server of Milvus how to load, search and tidy up: they are stored
and answered, since nothing here rests on them. What would change the rows that are kept (a TTL)
or taken (rates) must not be promised, so it is refused. The record of a collection holds the
properties that it was created with, client state each later change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace.meta.records import CollectionRecord
from headrace.model.codec import decode, encode
from headrace.proxy.accepted.client_state import ClientState
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import Catalog
from headrace.proxy.errors import Refusal, success
from headrace.proxy.milvus import Message

PROPERTY = "property/"
_SWITCH = ("true", "false")

# Property -> what it may be, in any case of letters.
SERVED_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "collection.autocompaction.enabled": _SWITCH,
    "lazyload.enabled": _SWITCH,
    "mmap.enabled": _SWITCH,
    "partitionkey.isolation": _SWITCH,
}


@dataclass(frozen=True, slots=True)
class ChangedProperty:
    """A property set since the collection was created; None = it was taken away."""

    value: str | None


def check_properties(pairs: Iterable[Message]) -> dict[str, str]:
    """The properties of a request; `Invalid` naming the first that is not served or has a value
    that it can not have. Of a repeated one the last counts."""
    found: dict[str, str] = {}
    for pair in pairs:
        values = SERVED_PROPERTIES.get(pair.key)
        if values is None:
            served = ", ".join(sorted(SERVED_PROPERTIES))
            raise Refusal.PROPERTY_REFUSED(at=pair.key, key=pair.key, served=served)
        if pair.value.lower() not in values:
            raise Refusal.PROPERTY_BAD(
                at=pair.key, key=pair.key, got=pair.value, wanted=" or ".join(values)
            )
        found[pair.key] = pair.value
    return found


class Properties:
    """The properties that collections have now."""

    def __init__(self, catalog: Catalog, state: ClientState) -> None:
        self._catalog = catalog
        self._state = state

    async def of(self, record: CollectionRecord) -> dict[str, str]:
        """In order of their names, as the store has them now."""
        now: dict[str, str | None] = {**record.properties, **await self._later(record)}
        return {key: value for key, value in sorted(now.items()) if value is not None}

    async def alter_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's AlterCollection: sets properties, or takes them away; of what is not there the
        latter is done as well. Each is changed by itself, so a repetition finishes what was begun.
        """
        record = await self._catalog.read_either(request.collection_name, request.collectionID)
        for key, value in check_properties(request.properties).items():
            await self._state.set(record, PROPERTY + key, encode(ChangedProperty(value)), call)
        for key in request.delete_keys:
            if key in record.properties:
                await self._state.set(record, PROPERTY + key, encode(ChangedProperty(None)), call)
            elif key in await self._later(record):
                await self._state.delete(record, PROPERTY + key, call)
        return success()

    async def _later(self, record: CollectionRecord) -> dict[str, str | None]:
        found = await self._state.below(record, PROPERTY)
        return {key: decode(value, ChangedProperty, key).value for key, value in found.items()}
