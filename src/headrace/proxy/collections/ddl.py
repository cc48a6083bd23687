"""CreateCollection, DropCollection, RenameCollection, CreatePartition and DropPartition.

Requests are checked here. The master service records a DDL and has it appended to every vchannel
before it answers.
"""

from typing import Any

from headrace.meta.records import Role
from headrace.model.codec import encode
from headrace.model.errors import NotFound
from headrace.model.ids import DEFAULT_PARTITION
from headrace.model.schema import Schema
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import Catalog, check_database
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.collections.properties import Properties, check_properties
from headrace.proxy.collections.schema_check import check_name, check_schema
from headrace.proxy.errors import Refusal, success
from headrace.proxy.milvus import Message, parse, schema_pb
from headrace.proxy.settings import ProxySettings
from headrace.rpc.messages import (
    CreateCollectionRequest,
    DropCollectionRequest,
    PartitionRequest,
    RenameCollectionRequest,
)

PARTITIONS_BY_KEY = 16  # unless a create says another number, as in Milvus
PARTITIONS_MAX = 1024
# A DDL writes the schema twice and the partitions once, in one transaction of the meta store, and
# etcd takes 1.5 MB.
SCHEMA_BYTES_MAX = 400_000


class DdlMethods:
    """The methods that change which collections and partitions there are."""

    def __init__(
        self, catalog: Catalog, leaders: Leaders, properties: Properties, settings: ProxySettings
    ) -> None:
        self._catalog = catalog
        self._properties = properties
        self._leaders = leaders
        self._settings = settings

    async def create_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's CreateCollection: again with the same schema is done, with another an error."""
        check_name("collection name", request.collection_name, at="collection_name")
        properties = check_properties(request.properties)
        message = parse(schema_pb.CollectionSchema, request.schema)
        check_database(message.dbName)
        if message.name not in ("", request.collection_name):
            wanted = request.collection_name
            raise Refusal.SCHEMA_NAME(at="schema.name", got=message.name, wanted=wanted)
        shards, most = request.shards_num or 1, self._settings.shards_max
        if not 1 <= shards <= most:
            raise Refusal.SHARDS_BAD(at="shards_num", got=shards, most=most)
        schema = check_schema(message, fields_max=self._settings.fields_max)
        encoded = encode(schema)
        if len(encoded) > SCHEMA_BYTES_MAX:
            raise Refusal.SCHEMA_LARGE(at="schema", got=len(encoded), most=SCHEMA_BYTES_MAX)
        order = CreateCollectionRequest(
            name=request.collection_name,
            schema=schema,
            shards=shards,
            consistency_level=request.consistency_level,
            properties=properties,
            partitions=_partitions(request, schema),
        )
        answer = await self._leaders.call(Role.MASTER_SERVICE, order, call)
        record = answer.record
        there = await self._properties.of(record)
        if there != properties:
            difference = f"its properties are {there or 'none'}, not {properties or 'none'}"
            raise Refusal.COLLECTION_DIFFERS(
                at="properties", name=record.name, difference=difference
            )
        return success()

    async def drop_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's DropCollection: of what is absent it is done as well."""
        if not request.collection_name:
            raise Refusal.NAME_MISSING(at="collection_name", what="collection name")
        order = DropCollectionRequest(request.collection_name)
        return await self._done(order, call)

    async def rename_collection(self, request: Message, call: ClientCall) -> Message:
        """Milvus's RenameCollection, inside the only database."""
        check_database(request.newDBName)
        check_name("new collection name", request.newName, at="newName")
        before = await self._catalog.read(request.oldName)
        order = RenameCollectionRequest(request.oldName, request.newName)
        try:
            return await self._done(order, call)
        except NotFound:
            # A repetition finds what the lost answer's rename has done.
            after = await self._catalog.read_id(before.id)
            if after.name != request.newName:
                raise
        return success()

    async def create_partition(self, request: Message, call: ClientCall) -> Message:
        """Milvus's CreatePartition: done as well when it is there."""
        return await self._partition(request, call, drop=False)

    async def drop_partition(self, request: Message, call: ClientCall) -> Message:
        """Milvus's DropPartition: of what is absent it is done as well. Its rows go with it."""
        return await self._partition(request, call, drop=True)

    async def _partition(self, request: Message, call: ClientCall, *, drop: bool) -> Message:
        collection, partition = request.collection_name, request.partition_name
        check_name("partition name", partition, at="partition_name")
        if drop and partition == DEFAULT_PARTITION:
            raise Refusal.PARTITION_KEPT(at="partition_name", name=DEFAULT_PARTITION)
        await self._catalog.read(collection)
        order = PartitionRequest(collection=collection, partition=partition, drop=drop)
        return await self._done(order, call)

    async def _done(self, order: Any, call: ClientCall) -> Message:
        """Success, once the master service has carried the order out."""
        await self._leaders.call(Role.MASTER_SERVICE, order, call)
        return success()


def _partitions(request: Message, schema: Schema) -> int:
    """How many partitions a partition key is to have; 0 = there is none."""
    asked: int = request.num_partitions
    if schema.partition_key is None:
        if asked:
            raise Refusal.PARTITIONS_WITHOUT_KEY(at="num_partitions", got=asked)
        return 0
    if not 0 <= asked <= PARTITIONS_MAX:
        raise Refusal.PARTITIONS_BAD(at="num_partitions", got=asked, most=PARTITIONS_MAX)
    return asked or PARTITIONS_BY_KEY
