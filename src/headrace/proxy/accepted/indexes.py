"""Indexes: stored as client state and reported as finished, though nothing is built.

So a client's usual set-up goes through, and it waits for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.meta.records import CollectionRecord
from headrace.model.codec import decode, encode
from headrace.proxy.accepted.client_state import ClientState
from headrace.proxy.accepted.index_check import check_index
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import Catalog
from headrace.proxy.collections.schema_check import check_name
from headrace.proxy.collections.statistics import Statistics
from headrace.proxy.errors import Refusal, success
from headrace.proxy.milvus import Message, common_pb, pb

INDEX = "index/"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedIndex:
    """An index as a client asked for it."""

    name: str
    field: str
    parameters: tuple[tuple[str, str], ...]


class Indexes:
    """The methods about indexes."""

    def __init__(self, catalog: Catalog, statistics: Statistics, state: ClientState) -> None:
        self._catalog = catalog
        self._statistics = statistics
        self._state = state

    async def create_index(self, request: Message, call: ClientCall) -> Message:
        """Milvus's CreateIndex: again with the same parameters is done, with others an error."""
        record = await self._catalog.read(request.collection_name)
        field = record.schema.field(request.field_name)
        if field is None:
            raise Refusal.COLUMN_EXTRA(at="field_name", name=request.field_name)
        name = request.index_name or field.name
        check_name("index name", name, at="index_name")
        parameters = tuple((p.key, p.value) for p in request.extra_params)
        check_index(field, parameters)
        wanted = AcceptedIndex(name=name, field=field.name, parameters=parameters)
        for index in await self._indexes(record):
            if index == wanted:
                return success()
            if index.field == field.name or index.name == name:
                raise Refusal.INDEX_DIFFERS(
                    at="index_name", name=index.field, collection=record.name
                )
        await self._state.set(record, f"{INDEX}{field.name}/{name}", encode(wanted), call)
        return success()

    async def describe_index(self, request: Message, call: ClientCall) -> Message:
        """Milvus's DescribeIndex: every index is finished."""
        record = await self._catalog.read(request.collection_name)
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

    async def get_index_statistics(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetIndexStatistics: as DescribeIndex."""
        described = (await self.describe_index(request, call)).index_descriptions
        return pb.GetIndexStatisticsResponse(status=success(), index_descriptions=described)

    async def get_index_state(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetIndexState."""
        record = await self._catalog.read(request.collection_name)
        await self._named(record, request)
        finished = common_pb.IndexState.Value("Finished")
        return pb.GetIndexStateResponse(status=success(), state=finished)

    async def get_index_build_progress(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetIndexBuildProgress: all rows are done."""
        record = await self._catalog.read(request.collection_name)
        await self._named(record, request)
        rows = await self._statistics.rows(record.id, call)
        return pb.GetIndexBuildProgressResponse(
            status=success(), indexed_rows=rows, total_rows=rows
        )

    async def drop_index(self, request: Message, call: ClientCall) -> Message:
        """Milvus's DropIndex: of what is absent it is done as well."""
        record = await self._catalog.read(request.collection_name)
        for index in await self._indexes(record):
            if _matches(index, request.field_name, request.index_name):
                topic = f"{INDEX}{index.field}/{index.name}"
                await self._state.delete(record, topic, call)
        return success()

    async def _indexes(self, record: CollectionRecord) -> Sequence[AcceptedIndex]:
        found = await self._state.below(record, INDEX)
        return [decode(value, AcceptedIndex, f"{INDEX}{topic}") for topic, value in found.items()]

    async def _named(self, record: CollectionRecord, request: Message) -> Sequence[AcceptedIndex]:
        field = getattr(request, "field_name", "")
        found = [i for i in await self._indexes(record) if _matches(i, field, request.index_name)]
        if not found:
            name = request.index_name or field
            raise Refusal.INDEX_NOT_FOUND(at="index_name", collection=record.name, name=name)
        return found


def _matches(index: AcceptedIndex, field: str, name: str) -> bool:
    """Clients name an index, its field, both, or neither (all)."""
    if name and name != index.name:
        return False
    return not field or field == index.field or bool(name)
