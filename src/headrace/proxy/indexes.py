"""Indexes and loads: accepted, remembered and reported as finished, though nothing is built.

**Owns** what is remembered of them and how it is answered, so that a client's quick set-up and its
waits go through. **Does not own** where it is kept: the master service writes it beside the
collection (`meta.keys.Keys.said`) and drops it with the collection.

A client waits for ever on a load below 100 percent, so none is ever answered with less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import CollectionRecord, Role
from headrace.model.codec import decode, encode
from headrace.proxy.catalog import Catalog
from headrace.proxy.errors import Refusal, success
from headrace.proxy.index_check import check_index
from headrace.proxy.leaders import Leaders
from headrace.proxy.milvus import Message, common_pb, pb
from headrace.proxy.schema_check import check_name
from headrace.proxy.statistics import Statistics
from headrace.proxy.waiting import Call
from headrace.rpc.messages import RememberRequest

INDEX = "index/"
LOAD = "load"
FINISHED_PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidIndex:
    """An index as a client asked for it."""

    name: str
    field: str
    parameters: tuple[tuple[str, str], ...]


class Indexes:
    """The methods about indexes."""

    def __init__(
        self,
        catalog: Catalog,
        leaders: Leaders,
        statistics: Statistics,
        meta: MetaStore,
        keys: Keys,
    ) -> None:
        self._catalog = catalog
        self._leaders = leaders
        self._statistics = statistics
        self._meta = meta
        self._keys = keys

    async def create_index(self, request: Message, call: Call) -> Message:
        """Milvus's CreateIndex: again with the same parameters is done, with others an error."""
        record = await self._collection(request, call)
        field = record.schema.field(request.field_name)
        if field is None:
            raise Refusal.COLUMN_EXTRA(at="field_name", name=request.field_name)
        name = request.index_name or field.name
        check_name("index name", name, at="index_name")
        parameters = tuple((p.key, p.value) for p in request.extra_params)
        check_index(field, parameters)
        wanted = SaidIndex(name=name, field=field.name, parameters=parameters)
        for index in await self._said(record):
            if index == wanted:
                return success()
            if index.field == field.name or index.name == name:
                raise Refusal.INDEX_DIFFERS(
                    at="index_name", name=index.field, collection=record.name
                )
        await self._remember(record, f"{INDEX}{field.name}/{name}", encode(wanted), call)
        return success()

    async def describe_index(self, request: Message, call: Call) -> Message:
        """Milvus's DescribeIndex: every index is finished."""
        record = await self._collection(request, call)
        answer = pb.DescribeIndexResponse(status=success())
        rows = await self._statistics.rows(record.id, call)
        for index in await self._named(record, request):
            item = answer.index_descriptions.add(
                index_name=index.name,
                field_name=index.field,
                indexed_rows=rows,
                total_rows=rows,
                state=common_pb.IndexState.Value("Finished"),
            )
            for key, value in index.parameters:
                item.params.add(key=key, value=value)
        return answer

    async def get_index_statistics(self, request: Message, call: Call) -> Message:
        """Milvus's GetIndexStatistics: as DescribeIndex."""
        described = await self.describe_index(
            pb.DescribeIndexRequest(
                collection_name=request.collection_name, index_name=request.index_name
            ),
            call,
        )
        return pb.GetIndexStatisticsResponse(
            status=success(), index_descriptions=described.index_descriptions
        )

    async def get_index_state(self, request: Message, call: Call) -> Message:
        """Milvus's GetIndexState."""
        record = await self._collection(request, call)
        await self._named(record, request)
        finished = common_pb.IndexState.Value("Finished")
        return pb.GetIndexStateResponse(status=success(), state=finished)

    async def get_index_build_progress(self, request: Message, call: Call) -> Message:
        """Milvus's GetIndexBuildProgress: all rows are done."""
        record = await self._collection(request, call)
        await self._named(record, request)
        rows = await self._statistics.rows(record.id, call)
        return pb.GetIndexBuildProgressResponse(
            status=success(), indexed_rows=rows, total_rows=rows
        )

    async def drop_index(self, request: Message, call: Call) -> Message:
        """Milvus's DropIndex: of what is absent it is done as well."""
        record = await self._collection(request, call)
        for index in await self._said(record):
            if _matches(index, request.field_name, request.index_name):
                topic = f"{INDEX}{index.field}/{index.name}"
                await self._remember(record, topic, b"", call)
        return success()

    async def load_collection(self, request: Message, call: Call) -> Message:
        """Milvus's LoadCollection: remembered."""
        record = await self._collection(request, call)
        await self._remember(record, LOAD, b"{}", call)
        return success()

    async def release_collection(self, request: Message, call: Call) -> Message:
        """Milvus's ReleaseCollection: forgotten."""
        record = await self._collection(request, call)
        await self._remember(record, LOAD, b"", call)
        return success()

    async def get_loading_progress(self, request: Message, call: Call) -> Message:
        """Milvus's GetLoadingProgress: 100 percent, or not loaded."""
        record = await self._collection(request, call)
        if not await self._is_loaded(record):
            raise Refusal.COLLECTION_NOT_LOADED(at="collection_name", name=record.name)
        return pb.GetLoadingProgressResponse(
            status=success(), progress=FINISHED_PERCENT, refresh_progress=FINISHED_PERCENT
        )

    async def get_load_state(self, request: Message, call: Call) -> Message:
        """Milvus's GetLoadState."""
        loaded = await self._is_loaded(await self._catalog.read(request.collection_name))
        state = common_pb.LoadState.Value("LoadStateLoaded" if loaded else "LoadStateNotLoad")
        return pb.GetLoadStateResponse(status=success(), state=state)

    async def _collection(self, request: Message, call: Call) -> CollectionRecord:
        return await self._catalog.read(request.collection_name)

    async def _remember(
        self, record: CollectionRecord, topic: str, value: bytes, call: Call
    ) -> None:
        order = RememberRequest(collection_id=record.id, topic=topic, value=value)
        await self._leaders.call(Role.MASTER_SERVICE, order, call)

    async def _said(self, record: CollectionRecord) -> Sequence[SaidIndex]:
        found = await self._meta.range(self._keys.said(record.id, INDEX))
        return [decode(item.value, SaidIndex, item.key) for item in found.items]

    async def _named(self, record: CollectionRecord, request: Message) -> Sequence[SaidIndex]:
        field = getattr(request, "field_name", "")
        found = [i for i in await self._said(record) if _matches(i, field, request.index_name)]
        if not found:
            name = request.index_name or field
            raise Refusal.INDEX_NOT_FOUND(at="index_name", collection=record.name, name=name)
        return found

    async def _is_loaded(self, record: CollectionRecord) -> bool:
        return (await self._meta.get(self._keys.said(record.id, LOAD))).first is not None


def _matches(index: SaidIndex, field: str, name: str) -> bool:
    """Clients name an index, its field, both, or neither (all)."""
    if name and name != index.name:
        return False
    return not field or field == index.field or bool(name)
