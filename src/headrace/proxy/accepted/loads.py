"""Loads: of a collection or of partitions, stored as client state and reported as finished at once.

A client waits for ever on a load below 100 percent, so none is ever answered with less. A load of
the collection covers the partitions that it gets later, as in Milvus; a release of one partition
leaves the others loaded.
"""

from collections.abc import Collection, Iterable

from headrace.meta.records import CollectionRecord
from headrace.model.ids import PartitionId
from headrace.proxy.accepted.client_state import ClientState
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import Catalog, partition_of
from headrace.proxy.errors import Refusal, success
from headrace.proxy.milvus import Message, common_pb, pb

LOAD = "load/"
WHOLE = "all"  # the rest of the topic; else it is a partition's id
FINISHED_PERCENT = 100


class Loads:
    """The methods about loads."""

    def __init__(self, catalog: Catalog, state: ClientState) -> None:
        self._catalog = catalog
        self._state = state

    async def load_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's LoadCollection."""
        record = await self._catalog.read(request.collection_name)
        await self._state.set(record, LOAD + WHOLE, b"{}", call)
        return success()

    async def release_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's ReleaseCollection: its partitions are released with it."""
        record = await self._catalog.read(request.collection_name)
        for loaded in await self._state.below(record, LOAD):
            await self._state.delete(record, LOAD + loaded, call)
        return success()

    async def load_partitions(self, request: Message, call: ClientCall) -> Message:
        """Milvus's LoadPartitions."""
        record = await self._catalog.read(request.collection_name)
        await self._load(record, _named(record, request.partition_names), call)
        return success()

    async def release_partitions(self, request: Message, call: ClientCall) -> Message:
        """Milvus's ReleasePartitions: of a collection that is loaded as a whole, the others stay
        loaded. They are stored first, so a repetition finishes what was begun."""
        record = await self._catalog.read(request.collection_name)
        named = _named(record, request.partition_names)
        loaded = await self._state.below(record, LOAD)
        if WHOLE in loaded:
            others = [p.id for p in record.partitions if not p.dropped and p.id not in named]
            await self._load(record, others, call)
            await self._state.delete(record, LOAD + WHOLE, call)
        for partition_id in named:
            if str(partition_id) in loaded:
                await self._state.delete(record, f"{LOAD}{partition_id}", call)
        return success()

    async def get_loading_progress(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetLoadingProgress: 100 percent, or not loaded."""
        record = await self._catalog.read(request.collection_name)
        if not await self._is_loaded(record, request.partition_names):
            raise Refusal.COLLECTION_NOT_LOADED(at="collection_name", name=record.name)
        return pb.GetLoadingProgressResponse(
            status=success(), progress=FINISHED_PERCENT, refresh_progress=FINISHED_PERCENT
        )

    async def get_load_state(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetLoadState: of the partitions named, else of any."""
        record = await self._catalog.read(request.collection_name)
        loaded = await self._is_loaded(record, request.partition_names)
        state = common_pb.LoadState.Value("LoadStateLoaded" if loaded else "LoadStateNotLoad")
        return pb.GetLoadStateResponse(status=success(), state=state)

    async def _load(
        self, record: CollectionRecord, partition_ids: Iterable[PartitionId], call: ClientCall
    ) -> None:
        for partition_id in partition_ids:
            await self._state.set(record, f"{LOAD}{partition_id}", b"{}", call)

    async def _is_loaded(self, record: CollectionRecord, names: Collection[str]) -> bool:
        wanted = _named(record, names)
        loaded = await self._state.below(record, LOAD)
        if WHOLE in loaded:
            return True
        if wanted:
            return all(str(partition_id) in loaded for partition_id in wanted)
        return any(str(p.id) in loaded for p in record.partitions if not p.dropped)


def _named(record: CollectionRecord, names: Iterable[str]) -> list[PartitionId]:
    """The ids of these partitions; `NotFound` when one is not there."""
    return [partition_of(record, name) for name in names]
