"""Indexes are remembered and finished, though nothing is built."""

from support.world.proxy import ProxyWorld, insert_request, pb, simple_schema

from headrace.proxy.milvus import Message, common_pb

FINISHED = common_pb.IndexState.Value("Finished")


def index_request(name: str = "", metric: str = "COSINE", field: str = "v") -> Message:
    request = pb.CreateIndexRequest(collection_name="c", field_name=field, index_name=name)
    request.extra_params.add(key="index_type", value="AUTOINDEX")
    request.extra_params.add(key="metric_type", value=metric)
    return request


async def described(world: ProxyWorld, **values: str) -> Message:
    request = pb.DescribeIndexRequest(collection_name="c", **values)
    return await world.call("DescribeIndex", request)


async def test_an_index_is_finished_as_soon_as_it_is_asked_for() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        await world.call("Insert", insert_request("c", [1, 2, 3]))
        assert (await world.call("CreateIndex", index_request())).code == 0
        (index,) = (await described(world)).index_descriptions
        assert (index.index_name, index.field_name, index.state) == ("v", "v", FINISHED)
        assert index.indexed_rows == index.total_rows == 3
        assert {p.key: p.value for p in index.params} == {
            "index_type": "AUTOINDEX",
            "metric_type": "COSINE",
        }
        for method, request in (
            ("GetIndexState", pb.GetIndexStateRequest(collection_name="c")),
            ("GetIndexStatistics", pb.GetIndexStatisticsRequest(collection_name="c")),
            ("GetIndexBuildProgress", pb.GetIndexBuildProgressRequest(collection_name="c")),
        ):
            assert (await world.call(method, request)).status.code == 0


async def test_an_index_is_found_by_its_name_its_field_or_neither() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        await world.call("CreateIndex", index_request(name="ix"))
        for values in ({}, {"index_name": "ix"}, {"field_name": "v"}):
            assert len((await described(world, **values)).index_descriptions) == 1
        for values in ({"index_name": "v"}, {"field_name": "id"}):
            answer = await described(world, **values)
            assert (answer.status.code, answer.status.error_code) == (700, 25)


async def test_the_same_index_again_is_done_and_another_is_an_error() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        for _ in range(2):
            assert (await world.call("CreateIndex", index_request())).code == 0
        assert (await world.call("CreateIndex", index_request(metric="L2"))).code == 702
        assert (await world.call("CreateIndex", index_request(name="other"))).code == 702
        assert (await world.call("CreateIndex", index_request(field="x"))).code == 1100
        assert (await world.call("CreateIndex", index_request(name="a/b"))).code == 1100


async def test_a_dropped_index_is_forgotten_and_an_absent_one_is_no_error() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        await world.call("CreateIndex", index_request())
        for _ in range(2):
            request = pb.DropIndexRequest(collection_name="c", index_name="v")
            assert (await world.call("DropIndex", request)).code == 0
        assert (await described(world)).status.code == 700
        assert (await world.call("CreateIndex", index_request(metric="L2"))).code == 0


async def test_what_was_said_of_an_absent_collection_is_not_found() -> None:
    async with ProxyWorld() as world:
        assert (await world.call("CreateIndex", index_request())).code == 100
