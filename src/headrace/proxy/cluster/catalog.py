"""Collections by name and by id, from a copy of the meta store.

The copy may lag, so nothing is refused because of it before the store itself was read. A collection
is there for clients from its first noted DDL until its drop is recorded.
"""

from collections.abc import Sequence

from headrace.meta.following import Following
from headrace.meta.records import CollectionRecord, CollectionState
from headrace.model.codec import decode
from headrace.model.ids import DEFAULT_PARTITION, CollectionId, PartitionId
from headrace.proxy.errors import Refusal
from headrace.proxy.settings import ProxySurroundings

DEFAULT_DATABASE = "default"


def check_database(*names: str) -> None:
    """`NotFound` unless every name is that of the only database (or empty)."""
    for name in names:
        if name not in ("", DEFAULT_DATABASE):
            raise Refusal.DATABASE_NOT_FOUND(at="db_name", name=name)


def partition_of(record: CollectionRecord, name: str) -> PartitionId:
    """The id of a partition; `NotFound` when the collection has none of that name."""
    wanted = name or DEFAULT_PARTITION
    for partition in record.partitions:
        if partition.name == wanted and not partition.dropped:
            return partition.id
    raise Refusal.PARTITION_NOT_FOUND(at="partition_name", collection=record.name, name=wanted)


class Catalog:
    """The collections that clients see."""

    def __init__(self, around: ProxySurroundings) -> None:
        self._meta = around.meta
        self._keys = around.keys
        self._by_name: dict[str, CollectionRecord] = {}
        prefix = around.keys.collections_prefix
        self._copy = Following(
            around.meta, prefix, CollectionRecord, around.host, around.telemetry, self._changed
        )

    async def run(self) -> None:
        """Keep the copy for ever."""
        await self._copy.run()

    async def listed(self) -> None:
        """Return when there is a copy."""
        await self._copy.changes.until(lambda: self._copy.listed)

    async def find(self, name: str) -> CollectionRecord:
        """The collection of that name: the copy's, or the store's; `NotFound` if it has none."""
        return self._by_name.get(name) or await self.read(name)

    async def read(self, name: str) -> CollectionRecord:
        """The collection of that name as the store has it now; `NotFound` if there is none."""
        if name:
            found = (await self._meta.get(self._keys.name(name))).first
            if found is not None:
                record = await self._read_id(int(found.value))
                if record is not None and record.name == name:
                    return record
        raise Refusal.COLLECTION_NOT_FOUND(at="collection_name", name=name)

    async def read_id(self, collection_id: CollectionId) -> CollectionRecord:
        """The collection of that id as the store has it now; `NotFound` if it is not there."""
        record = await self._read_id(collection_id)
        if record is None:
            raise Refusal.COLLECTION_ID_NOT_FOUND(at="collectionID", id=collection_id)
        return record

    async def read_either(self, name: str, collection_id: CollectionId) -> CollectionRecord:
        """By name, or by id where no name is given."""
        return await (
            self.read_id(collection_id) if collection_id and not name else self.read(name)
        )

    async def all(self) -> Sequence[CollectionRecord]:
        """All collections as the store has them now, in order of their names."""
        found = await self._meta.range(self._keys.collections_prefix)
        records = [decode(item.value, CollectionRecord, item.key) for item in found.items]
        return sorted((r for r in records if _is_there(r)), key=lambda r: r.name)

    async def _read_id(self, collection_id: CollectionId) -> CollectionRecord | None:
        key = self._keys.collection(collection_id)
        found = await self._meta.get(key)
        if found.first is None:
            return None
        record = decode(found.first.value, CollectionRecord, key)
        return record if _is_there(record) else None

    def _changed(self) -> None:
        self._by_name = {r.name: r for r in self._copy.items.values() if _is_there(r)}


def _is_there(record: CollectionRecord) -> bool:
    return record.state is CollectionState.CREATED
