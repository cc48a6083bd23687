"""Create, drop and rename are checked here and done by the master service."""

import pytest
from support.world.proxy import ProxyWorld, pb, schema_pb, simple_schema

from headrace.model.codec import encode
from headrace.model.errors import Unavailable
from headrace.proxy.collections.ddl import SCHEMA_BYTES_MAX
from headrace.proxy.errors import Aborted, Transport
from headrace.rpc import messages as m


def create_request(**values: object) -> object:
    schema = values.pop("schema", simple_schema())
    data = schema if isinstance(schema, bytes) else schema.SerializeToString()  # type: ignore[attr-defined]
    return pb.CreateCollectionRequest(**{"collection_name": "c", "schema": data, **values})


async def test_a_create_reaches_the_master_service_as_ours() -> None:
    async with ProxyWorld() as world:
        request = create_request(shards_num=3, consistency_level=2)
        status = await world.call("CreateCollection", request)
        assert status.code == 0
        (order,) = world.orders
        assert order.name == "c"
        assert order.shards == 3
        assert order.consistency_level == 2
        assert [f.name for f in order.schema.fields] == ["id", "v"]


async def test_one_shard_is_made_when_none_is_asked_for() -> None:
    async with ProxyWorld() as world:
        await world.call("CreateCollection", create_request())
        assert world.orders[0].shards == 1


async def test_again_with_the_same_schema_is_done_and_with_another_an_error() -> None:
    async with ProxyWorld() as world:
        assert (await world.call("CreateCollection", create_request())).code == 0
        assert (await world.call("CreateCollection", create_request())).code == 0
        other = create_request(schema=simple_schema(dim=8))
        status = await world.call("CreateCollection", other)
        assert status.code == 1100
        assert "exists and is another" in status.reason


def parted_schema() -> object:
    field = {"name": "p", "data_type": "Int64", "is_partition_key": True}
    return simple_schema(fields=(field,))


@pytest.mark.parametrize(("asked", "made"), [(0, 16), (1, 1), (1024, 1024)])
async def test_a_partition_key_gets_as_many_partitions_as_are_asked_for(
    asked: int, made: int
) -> None:
    async with ProxyWorld() as world:
        request = create_request(schema=parted_schema(), num_partitions=asked)
        assert (await world.call("CreateCollection", request)).code == 0
        assert world.orders[0].partitions == made


@pytest.mark.parametrize("asked", [-1, 1025])
async def test_too_many_partitions_of_a_partition_key_are_refused(asked: int) -> None:
    async with ProxyWorld() as world:
        request = create_request(schema=parted_schema(), num_partitions=asked)
        status = await world.call("CreateCollection", request)
        assert status.code == 1100
        assert f"num_partitions is {asked}" in status.reason
        assert world.orders == []


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"collection_name": ""}, 1101, "collection name is missing"),
        ({"collection_name": "a b"}, 1100, "no valid name"),
        ({"collection_name": "9a"}, 1100, "no valid name"),
        ({"shards_num": 17}, 1100, "shards_num is 17"),
        ({"shards_num": -1}, 1100, "shards_num is -1"),
        ({"num_partitions": 4}, 1100, "no field is the partition key"),
        ({"schema": b"\xff"}, 1100, "not a CollectionSchema"),
        ({"schema": schema_pb.CollectionSchema(name="other")}, 1100, "for collection 'other'"),
        ({"schema": schema_pb.CollectionSchema(dbName="other")}, 800, "database 'other'"),
        ({"db_name": "other"}, 800, "database 'other'"),
    ],
)
async def test_a_create_that_makes_no_sense_is_refused(
    values: dict[str, object], code: int, words: str
) -> None:
    async with ProxyWorld() as world:
        status = await world.call("CreateCollection", create_request(**values))
        assert status.code == code
        assert words in status.reason
        assert world.orders == []


async def test_again_with_other_properties_is_an_error() -> None:
    async with ProxyWorld() as world:
        request = create_request(properties=[{"key": "mmap.enabled", "value": "true"}])
        for _ in range(2):
            assert (await world.call("CreateCollection", request)).code == 0
        assert world.orders[0].properties == {"mmap.enabled": "true"}
        status = await world.call("CreateCollection", create_request())
        assert status.code == 1100
        assert "its properties are {'mmap.enabled': 'true'}, not none" in status.reason


async def test_a_drop_of_what_is_absent_is_done() -> None:
    async with ProxyWorld() as world:
        request = pb.DropCollectionRequest(collection_name="nothing")
        assert (await world.call("DropCollection", request)).code == 0
        assert (await world.call("DropCollection", pb.DropCollectionRequest())).code == 1101


async def test_a_rename_keeps_the_collection() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        request = pb.RenameCollectionRequest(oldName="c", newName="d")
        assert (await world.call("RenameCollection", request)).code == 0
        assert world.collection(record.id).name == "d"
        status = await world.call("RenameCollection", request)
        assert status.code == 100
        request = pb.RenameCollectionRequest(oldName="d", newName="e", newDBName="other")
        assert (await world.call("RenameCollection", request)).code == 800
        request = pb.RenameCollectionRequest(oldName="d", newName="1")
        assert (await world.call("RenameCollection", request)).code == 1100


async def test_a_rename_whose_answer_was_lost_is_found_done() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        await world.master.stop()
        world.master = world.network.server("master:1")

        async def lose_the_answer(request: m.RenameCollectionRequest) -> m.Done:
            done = await world.master_service.rename(request)
            if world.orders.count(request) == 1:
                raise Unavailable("the answer is lost")
            return done

        await world.master.start({m.RenameCollectionRequest: lose_the_answer})
        request = pb.RenameCollectionRequest(oldName="c", newName="d")
        status = await world.clock.run(world.call("RenameCollection", request))
        assert status.code == 0
        assert len(world.orders) == 3


async def test_a_create_that_may_have_arrived_is_repeated_to_the_deadline() -> None:
    async with ProxyWorld() as world:
        await world.master.stop()
        world.master = world.network.server("master:1")

        async def busy(request: m.CreateCollectionRequest) -> m.CollectionResponse:
            raise Unavailable("busy")

        await world.master.start({m.CreateCollectionRequest: busy})
        with pytest.raises(Aborted) as caught:
            await world.clock.run(world.call("CreateCollection", create_request()))
        assert caught.value.transport is Transport.DEADLINE_EXCEEDED
        assert world.clock.monotonic() >= 60


async def test_without_a_master_service_nothing_was_begun() -> None:
    async with ProxyWorld() as world:
        world.network.kill("master:1")
        with pytest.raises(Aborted) as caught:
            await world.clock.run(world.call("CreateCollection", create_request(), timeout_s=5.0))
        assert caught.value.transport is Transport.UNAVAILABLE


async def partitions(world: ProxyWorld) -> list[str]:
    asked = pb.ShowPartitionsRequest(collection_name="c")
    return list((await world.call("ShowPartitions", asked)).partition_names)


async def test_partitions_are_made_and_dropped_and_both_again_are_done() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        values = {"collection_name": "c", "partition_name": "p"}
        for _ in range(2):
            assert (
                await world.call("CreatePartition", pb.CreatePartitionRequest(**values))
            ).code == 0
            assert await partitions(world) == ["_default", "p"]
        for _ in range(2):
            assert (await world.call("DropPartition", pb.DropPartitionRequest(**values))).code == 0
            assert await partitions(world) == ["_default"]


@pytest.mark.parametrize("method", ["CreatePartition", "DropPartition"])
@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"partition_name": ""}, 1101, "partition name is missing"),
        ({"partition_name": "a b"}, 1100, "no valid name"),
        ({"collection_name": "x"}, 100, "'x' does not exist"),
        ({"collection_name": ""}, 100, "does not exist"),
        ({"db_name": "other"}, 800, "database 'other'"),
    ],
)
async def test_a_partition_that_makes_no_sense_is_refused(
    method: str, values: dict[str, str], code: int, words: str
) -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        kind = getattr(pb, f"{method}Request")
        request = kind(**({"collection_name": "c", "partition_name": "p"} | values))
        status = await world.call(method, request)
        assert status.code == code
        assert words in status.reason
        assert world.orders[1:] == []


async def test_the_default_partition_is_kept() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        request = pb.DropPartitionRequest(collection_name="c", partition_name="_default")
        status = await world.call("DropPartition", request)
        assert (status.code, "every collection has it" in status.reason) == (1100, True)


@pytest.mark.parametrize("more", [0, 1])
async def test_a_schema_that_the_meta_store_would_not_take_is_refused(more: int) -> None:
    async with ProxyWorld() as world:
        schema = simple_schema()
        schema.description = "x"
        assert (await world.call("CreateCollection", create_request(schema=schema))).code == 0
        sent = len(encode(world.orders[0].schema))
        schema.description = "x" * (SCHEMA_BYTES_MAX - sent + 1 + more)
        status = await world.call(
            "CreateCollection", create_request(collection_name="d", schema=schema)
        )
        assert (status.code == 0) is (more == 0)
        assert ("above 400000: make those shorter" in status.reason) is bool(more)
