"""Rows and segments are counted as meta has them."""

from support.world.proxy import ProxyWorld, insert_request, pb, simple_schema

from headrace.proxy.milvus import common_pb


async def test_the_row_count_is_that_of_the_segments() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema(), shards=2)
        request = pb.GetCollectionStatisticsRequest(collection_name="c")
        answer = await world.call("GetCollectionStatistics", request)
        assert [(s.key, s.value) for s in answer.stats] == [("row_count", "0")]
        await world.call("Insert", insert_request("c", list(range(9))))
        answer = await world.call("GetCollectionStatistics", request)
        assert [(s.key, s.value) for s in answer.stats] == [("row_count", "9")]


async def test_segments_are_listed_with_state_and_channel() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        await world.call("Insert", insert_request("c", [1, 2]))
        request = pb.GetPersistentSegmentInfoRequest(collectionName="c")
        (info,) = (await world.call("GetPersistentSegmentInfo", request)).infos
        assert info.collectionID == record.id
        assert info.partitionID == record.partitions[0].id
        assert info.num_rows == 2
        assert info.insert_channel == record.vchannels[0]
        assert info.state == common_pb.SegmentState.Value("Flushed")
        request.states.append(common_pb.SegmentState.Value("Growing"))
        assert not (await world.call("GetPersistentSegmentInfo", request)).infos
        request.collectionName = "x"
        answer = await world.call("GetPersistentSegmentInfo", request)
        assert answer.status.code == 100


async def test_the_row_count_of_a_partition_is_that_of_its_segments() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        made = pb.CreatePartitionRequest(collection_name="c", partition_name="p")
        assert (await world.call("CreatePartition", made)).code == 0
        await world.call("Insert", insert_request("c", [1, 2, 3]))
        request = insert_request("c", [4, 5])
        request.partition_name = "p"
        await world.call("Insert", request)
        for name, rows in (("_default", "3"), ("p", "2"), ("", "3")):
            asked = pb.GetPartitionStatisticsRequest(collection_name="c", partition_name=name)
            answer = await world.call("GetPartitionStatistics", asked)
            assert [(s.key, s.value) for s in answer.stats] == [("row_count", rows)]
        asked.partition_name = "x"
        assert (await world.call("GetPartitionStatistics", asked)).status.code == 200
