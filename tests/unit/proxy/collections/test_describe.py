"""Clients see the collections that stand, as Milvus describes them."""

from support.world.proxy import PCHANNELS, ProxyWorld, pb, simple_schema

from headrace.meta.records import CollectionState
from headrace.proxy.milvus import schema_pb


async def test_a_collection_is_described_by_name_or_by_id() -> None:
    async with ProxyWorld() as world:
        field = {
            "name": "t",
            "data_type": "VarChar",
            "nullable": True,
            "description": "why",
            "parameters": {"max_length": 9},
            "default_value": schema_pb.ValueField(string_data="x"),
        }
        record = await world.create("c", simple_schema(dynamic=True, fields=(field,)), shards=2)
        request = pb.DescribeCollectionRequest(collection_name="c")
        answer = await world.call("DescribeCollection", request)
        assert answer.status.code == 0
        assert answer.collectionID == record.id
        assert answer.shards_num == 2
        assert list(answer.virtual_channel_names) == list(record.vchannels)
        assert list(answer.physical_channel_names) == list(PCHANNELS[:2])
        assert answer.created_timestamp == answer.update_timestamp == record.created
        assert answer.num_partitions == 1
        assert answer.db_name == "default"
        assert answer.schema.name == "c"
        assert answer.schema.enable_dynamic_field
        assert [f.name for f in answer.schema.fields] == ["id", "v", "t"]
        text = answer.schema.fields[2]
        assert text.nullable
        assert text.description == "why"
        assert text.default_value.string_data == "x"
        assert [(p.key, p.value) for p in text.type_params] == [("max_length", "9")]
        request = pb.DescribeCollectionRequest(collectionID=record.id)
        assert await world.call("DescribeCollection", request) == answer


async def test_what_is_absent_has_code_100() -> None:
    async with ProxyWorld() as world:
        for request in (
            pb.DescribeCollectionRequest(collection_name="c"),
            pb.DescribeCollectionRequest(collectionID=5),
            pb.DescribeCollectionRequest(),
        ):
            answer = await world.call("DescribeCollection", request)
            assert (answer.status.code, answer.status.error_code) == (100, 4)
        request = pb.HasCollectionRequest(collection_name="c")
        answer = await world.call("HasCollection", request)
        assert (answer.status.code, answer.value) == (0, False)


async def test_a_collection_exists_from_its_first_noted_ddl_to_its_drop() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        request = pb.HasCollectionRequest(collection_name="c")
        assert (await world.call("HasCollection", request)).value
        for state in (CollectionState.CREATING, CollectionState.DROPPING):
            await world.change(world.collection(record.id), state=state)
            shown = await world.call("ShowCollections", pb.ShowCollectionsRequest())
            assert list(shown.collection_names) == []
            described = await world.call(
                "DescribeCollection", pb.DescribeCollectionRequest(collectionID=record.id)
            )
            assert described.status.code == 100


async def test_collections_are_shown_by_name() -> None:
    async with ProxyWorld() as world:
        ids = {name: (await world.create(name, simple_schema())).id for name in ("b", "a", "c")}
        answer = await world.call("ShowCollections", pb.ShowCollectionsRequest())
        assert list(answer.collection_names) == ["a", "b", "c"]
        assert list(answer.collection_ids) == [ids[n] for n in ("a", "b", "c")]
        assert list(answer.shards_num) == [1, 1, 1]
        request = pb.ShowCollectionsRequest(collection_names=["c", "x"])
        answer = await world.call("ShowCollections", request)
        assert list(answer.collection_names) == ["c"]


async def test_every_collection_has_its_default_partition() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        request = pb.ShowPartitionsRequest(collection_name="c")
        answer = await world.call("ShowPartitions", request)
        assert list(answer.partition_names) == ["_default"]
        assert list(answer.partitionIDs) == [record.partitions[0].id]
        request = pb.ShowPartitionsRequest(collectionID=record.id)
        assert await world.call("ShowPartitions", request) == answer
        for name, there in (("_default", True), ("p", False)):
            asked = pb.HasPartitionRequest(collection_name="c", partition_name=name)
            assert (await world.call("HasPartition", asked)).value is there


async def test_there_is_one_database_and_no_alias() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        answer = await world.call("ListDatabases", pb.ListDatabasesRequest())
        assert list(answer.db_names) == ["default"]
        answer = await world.call("DescribeDatabase", pb.DescribeDatabaseRequest(db_name="default"))
        assert answer.db_name == "default"
        answer = await world.call("ListAliases", pb.ListAliasesRequest(collection_name="c"))
        assert list(answer.aliases) == []
        answer = await world.call("ListAliases", pb.ListAliasesRequest(collection_name="x"))
        assert answer.status.code == 100
