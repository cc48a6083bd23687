"""Loads are remembered and finished at once."""

import pytest
from support.world.proxy import ProxyWorld, pb, simple_schema

from headrace.proxy.milvus import Message, common_pb


async def is_loaded(world: ProxyWorld, *partitions: str) -> bool:
    request = pb.GetLoadStateRequest(collection_name="c", partition_names=partitions)
    answer = await world.call("GetLoadState", request)
    assert answer.status.code == 0
    progress = pb.GetLoadingProgressRequest(collection_name="c", partition_names=partitions)
    found: bool = answer.state == common_pb.LoadState.Value("LoadStateLoaded")
    code = (await world.call("GetLoadingProgress", progress)).status.code
    assert code == (0 if found else 101)
    return found


async def with_partitions(world: ProxyWorld, *names: str) -> None:
    await world.create("c", simple_schema())
    for name in names:
        request = pb.CreatePartitionRequest(collection_name="c", partition_name=name)
        assert (await world.call("CreatePartition", request)).code == 0


async def test_a_load_is_never_below_100_percent() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        progress = pb.GetLoadingProgressRequest(collection_name="c")
        state = pb.GetLoadStateRequest(collection_name="c")
        assert (await world.call("GetLoadingProgress", progress)).status.code == 101
        not_loaded = common_pb.LoadState.Value("LoadStateNotLoad")
        assert (await world.call("GetLoadState", state)).state == not_loaded
        load = pb.LoadCollectionRequest(collection_name="c", replica_number=1, refresh=True)
        assert (await world.call("LoadCollection", load)).code == 0
        answer = await world.call("GetLoadingProgress", progress)
        assert (answer.progress, answer.refresh_progress) == (100, 100)
        loaded = common_pb.LoadState.Value("LoadStateLoaded")
        assert (await world.call("GetLoadState", state)).state == loaded
        release = pb.ReleaseCollectionRequest(collection_name="c")
        assert (await world.call("ReleaseCollection", release)).code == 0
        assert (await world.call("GetLoadState", state)).state == not_loaded


@pytest.mark.parametrize(
    "request_message",
    [
        pb.LoadCollectionRequest(collection_name="c", load_fields=["id"]),
        pb.LoadCollectionRequest(collection_name="c", resource_groups=["g"]),
        pb.LoadCollectionRequest(collection_name="c", skip_load_dynamic_field=True),
    ],
)
async def test_a_part_of_a_load_is_refused_by_name(request_message: Message) -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        status = await world.call("LoadCollection", request_message)
        assert status.code == 1100
        assert "LoadCollectionRequest." in status.reason


async def test_partitions_are_loaded_one_by_one() -> None:
    async with ProxyWorld() as world:
        await with_partitions(world, "a", "b")
        load = pb.LoadPartitionsRequest(collection_name="c", partition_names=["a"])
        assert (await world.call("LoadPartitions", load)).code == 0
        assert await is_loaded(world)
        assert await is_loaded(world, "a")
        assert not await is_loaded(world, "b")
        assert not await is_loaded(world, "a", "b")
        release = pb.ReleasePartitionsRequest(collection_name="c", partition_names=["a"])
        for _ in range(2):
            assert (await world.call("ReleasePartitions", release)).code == 0
        assert not await is_loaded(world)


async def test_a_release_of_one_partition_leaves_the_others_loaded() -> None:
    async with ProxyWorld() as world:
        await with_partitions(world, "a", "b")
        load = pb.LoadCollectionRequest(collection_name="c")
        assert (await world.call("LoadCollection", load)).code == 0
        release = pb.ReleasePartitionsRequest(collection_name="c", partition_names=["a"])
        assert (await world.call("ReleasePartitions", release)).code == 0
        assert not await is_loaded(world, "a")
        assert await is_loaded(world, "b", "_default")
        release = pb.ReleaseCollectionRequest(collection_name="c")
        assert (await world.call("ReleaseCollection", release)).code == 0
        assert not await is_loaded(world)


async def test_loads_of_what_is_absent_are_refused() -> None:
    async with ProxyWorld() as world:
        load = pb.LoadCollectionRequest(collection_name="c")
        assert (await world.call("LoadCollection", load)).code == 100
        await world.create("c", simple_schema())
        for method, request in (
            ("LoadPartitions", pb.LoadPartitionsRequest),
            ("ReleasePartitions", pb.ReleasePartitionsRequest),
            ("GetLoadState", pb.GetLoadStateRequest),
        ):
            answer = await world.call(method, request(collection_name="c", partition_names=["x"]))
            assert getattr(answer, "status", answer).code == 200
