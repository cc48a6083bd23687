"""Has, Describe, Show and List: which collections, partitions and databases there are."""

from collections.abc import Mapping

from headrace.meta.records import CollectionRecord
from headrace.model.channel import pchannel_of
from headrace.model.errors import NotFound
from headrace.model.timestamp import physical_ms
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import DEFAULT_DATABASE, Catalog
from headrace.proxy.collections.properties import Properties
from headrace.proxy.collections.schema_check import schema_message
from headrace.proxy.errors import success
from headrace.proxy.milvus import Message, common_pb, pb

DEFAULT_DATABASE_ID = 1  # as in Milvus


class Describe:
    """The methods that only read the catalog."""

    def __init__(self, catalog: Catalog, properties: Properties) -> None:
        self._catalog = catalog
        self._properties = properties

    async def has_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's HasCollection."""
        try:
            await self._catalog.read(request.collection_name)
        except NotFound:
            return pb.BoolResponse(status=success(), value=False)
        return pb.BoolResponse(status=success(), value=True)

    async def describe_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's DescribeCollection, by name or else by id; read from the store itself."""
        record = await self._catalog.read_either(request.collection_name, request.collectionID)
        return _description(record, await self._properties.of(record))

    async def show_collections(self, request: Message, call: ClientCall) -> Message:
        """Milvus's ShowCollections, by name; all are reported as wholly in memory."""
        answer = pb.ShowCollectionsResponse(status=success())
        wanted = set(request.collection_names)
        for record in await self._catalog.all():
            if wanted and record.name not in wanted:
                continue
            answer.collection_names.append(record.name)
            answer.collection_ids.append(record.id)
            answer.created_timestamps.append(record.created)
            answer.created_utc_timestamps.append(physical_ms(record.created))
            answer.inMemory_percentages.append(100)
            answer.query_service_available.append(False)
            answer.shards_num.append(len(record.vchannels))
        return answer

    async def has_partition(self, request: Message, call: ClientCall) -> Message:
        """Milvus's HasPartition."""
        record = await self._catalog.read(request.collection_name)
        names = [p.name for p in record.partitions if not p.dropped]
        return pb.BoolResponse(status=success(), value=request.partition_name in names)

    async def show_partitions(self, request: Message, call: ClientCall) -> Message:
        """Milvus's ShowPartitions, in the order in which they were made."""
        record = await self._catalog.read_either(request.collection_name, request.collectionID)
        answer = pb.ShowPartitionsResponse(status=success())
        wanted = set(request.partition_names)
        for partition in record.partitions:
            if partition.dropped or (wanted and partition.name not in wanted):
                continue
            answer.partition_names.append(partition.name)
            answer.partitionIDs.append(partition.id)
            answer.created_timestamps.append(partition.created)
            answer.created_utc_timestamps.append(physical_ms(partition.created))
            answer.inMemory_percentages.append(100)
        return answer

    async def list_databases(self, request: Message, call: ClientCall) -> Message:
        """Milvus's ListDatabases: there is one."""
        names, ids = [DEFAULT_DATABASE], [DEFAULT_DATABASE_ID]
        return pb.ListDatabasesResponse(
            status=success(), db_names=names, db_ids=ids, created_timestamp=[0]
        )

    async def describe_database(self, request: Message, call: ClientCall) -> Message:
        """Milvus's DescribeDatabase, of the only one."""
        return pb.DescribeDatabaseResponse(
            status=success(), db_name=DEFAULT_DATABASE, dbID=DEFAULT_DATABASE_ID
        )

    async def list_aliases(self, request: Message, call: ClientCall) -> Message:
        """Milvus's ListAliases: there are none."""
        if request.collection_name:
            await self._catalog.read(request.collection_name)
        return pb.ListAliasesResponse(
            status=success(),
            db_name=request.db_name or DEFAULT_DATABASE,
            collection_name=request.collection_name,
        )


def _description(record: CollectionRecord, properties: Mapping[str, str]) -> Message:
    pairs = [common_pb.KeyValuePair(key=key, value=value) for key, value in properties.items()]
    return pb.DescribeCollectionResponse(
        status=success(),
        schema=schema_message(record.name, record.schema),
        collectionID=record.id,
        virtual_channel_names=record.vchannels,
        physical_channel_names=[pchannel_of(v) for v in record.vchannels],
        created_timestamp=record.created,
        created_utc_timestamp=physical_ms(record.created),
        shards_num=len(record.vchannels),
        consistency_level=record.consistency_level,
        collection_name=record.name,
        db_name=DEFAULT_DATABASE,
        db_id=DEFAULT_DATABASE_ID,
        num_partitions=sum(not p.dropped for p in record.partitions),
        # Clients send it back with rows, so that we see by which schema they were made.
        update_timestamp=record.created,
        update_timestamp_str=str(record.created),
        properties=pairs,
    )
