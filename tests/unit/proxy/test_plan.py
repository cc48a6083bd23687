"""Rows and deletes are planned for a partition or for all of them."""

from typing import Any

from support.proxy_world import ProxyWorld, insert_request, pb, simple_schema


async def in_partition(world: ProxyWorld, name: str, keys: list[int], **more: Any) -> Any:
    request = insert_request("c", keys, **more)
    request.partition_name = name
    return await world.call("Upsert" if more else "Insert", request)


async def test_rows_go_to_the_partition_that_is_named_until_it_is_dropped() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        values = {"collection_name": "c", "partition_name": "p"}
        assert (await world.call("CreatePartition", pb.CreatePartitionRequest(**values))).code == 0
        made = world.collection(record.id).partitions[1].id
        assert (await in_partition(world, "p", [1])).status.code == 0
        assert (await in_partition(world, "p", [1], upsert=True)).status.code == 0
        assert [p.partition_id for p in world.sequencer.stored.values()] == [made, made]
        assert (await world.call("DropPartition", pb.DropPartitionRequest(**values))).code == 0
        assert (await in_partition(world, "p", [2])).status.code == 200
        assert (await world.call("CreatePartition", pb.CreatePartitionRequest(**values))).code == 0
        assert (await in_partition(world, "p", [3])).status.code == 0
        assert [p.partition_id for p in world.sequencer.stored.values()][2:] != [made]


async def test_a_delete_goes_through_all_partitions_and_through_no_single_one_of_several() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        request = pb.DeleteRequest(collection_name="c", expr="id == 1", partition_name="_default")
        assert (await world.call("Delete", request)).status.code == 0
        values = {"collection_name": "c", "partition_name": "p"}
        assert (await world.call("CreatePartition", pb.CreatePartitionRequest(**values))).code == 0
        for name in ("_default", "p"):
            request.partition_name = name
            answer = await world.call("Delete", request)
            assert answer.status.code == 1100
            assert "leave partition_name out" in answer.status.reason
        request.partition_name = ""
        assert (await world.call("Delete", request)).status.code == 0
        assert [p.partition_id for p in world.sequencer.stored.values()][-1] == 0
        assert (await world.call("DropPartition", pb.DropPartitionRequest(**values))).code == 0
        request.partition_name = "_default"
        assert (await world.call("Delete", request)).status.code == 0
