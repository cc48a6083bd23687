"""Rows and deletes are planned for a partition or for all of them."""

from typing import Any

import pytest
from support.world.proxy import (
    CountingOffload,
    ProxyWorld,
    insert_request,
    pb,
    schema_pb,
    simple_schema,
)

from headrace.binlog.body import decode_rows
from headrace.proxy.settings import ProxySettings
from headrace.proxy.write.key_hash import hash_keys, partitions_of, shards_of
from headrace.rpc import messages as m


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


def entries(world: ProxyWorld) -> list[m.AppendRequest]:
    return list(world.sequencer.stored.values())


async def test_a_delete_names_a_partition_only_where_there_are_others() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        request = pb.DeleteRequest(collection_name="c", expr="id == 1", partition_name="_default")
        assert (await world.call("Delete", request)).status.code == 0
        values = {"collection_name": "c", "partition_name": "p"}
        assert (await world.call("CreatePartition", pb.CreatePartitionRequest(**values))).code == 0
        default, made = (p.id for p in world.collection(record.id).partitions)
        for name in ("_default", "p", ""):
            request.partition_name = name
            assert (await world.call("Delete", request)).status.code == 0
        assert (await world.call("DropPartition", pb.DropPartitionRequest(**values))).code == 0
        request.partition_name = "_default"
        assert (await world.call("Delete", request)).status.code == 0
        assert [e.delete_partition_id for e in entries(world)] == [0, default, made, 0, 0]
        request.partition_name = "p"
        answer = await world.call("Delete", request)
        assert answer.status.code == 200
        assert "no partition 'p'" in answer.status.reason


async def test_an_upsert_replaces_rows_of_its_own_partition_only() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        assert (await in_partition(world, "", [1], upsert=True)).status.code == 0
        values = {"collection_name": "c", "partition_name": "p"}
        assert (await world.call("CreatePartition", pb.CreatePartitionRequest(**values))).code == 0
        default, made = (p.id for p in world.collection(record.id).partitions)
        for name in ("", "_default", "p"):
            assert (await in_partition(world, name, [1], upsert=True)).status.code == 0
        stored = [(e.partition_id, e.delete_partition_id) for e in entries(world)]
        assert stored == [(default, 0), (default, default), (default, default), (made, made)]


async def test_defaults_that_blow_a_part_up_are_refused_before_anything_is_sent() -> None:
    default = schema_pb.ValueField(string_data="x" * 2000)
    field = {
        "name": "t",
        "data_type": "VarChar",
        "parameters": {"max_length": 3000},
        "default_value": default,
    }
    async with ProxyWorld(settings=ProxySettings(entry_bytes_max=10_000)) as world:
        await world.create("c", simple_schema(fields=(field,)))
        answer = await world.call("Insert", insert_request("c", list(range(20))))
        assert answer.status.code == 1100
        assert "with the defaults filled in" in answer.status.reason
        assert world.sequencer.asked == []


# ---- a partition key ------------------------------------------------------------------------


def parted_schema(kind: str = "Int64") -> Any:
    field: dict[str, Any] = {"name": "p", "data_type": kind, "is_partition_key": True}
    if kind == "VarChar":
        field["parameters"] = {"max_length": 20}
    return simple_schema(fields=(field,))


def parted_request(keys: list[int], parting: list[Any], *, upsert: bool = False) -> Any:
    request = insert_request("c", keys, upsert=upsert)
    data = request.fields_data.add(field_name="p")
    if isinstance(parting[0], str):
        data.type = schema_pb.VarChar
        data.scalars.string_data.data.extend(parting)
    else:
        data.type = schema_pb.Int64
        data.scalars.long_data.data.extend(parting)
    return request


@pytest.mark.parametrize("kind", ["Int64", "VarChar"])
async def test_a_row_goes_to_the_partition_that_its_partition_key_hashes_to(kind: str) -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", parted_schema(kind), shards=2, partitions=5)
        assert [p.name for p in record.partitions] == [f"_default_{n}" for n in range(5)]
        parting = [n if kind == "Int64" else f"tenant {n}" for n in range(40)] * 3
        answer = await world.call("Insert", parted_request(list(range(120)), parting))
        assert answer.status.code == 0, answer
        found: dict[Any, set[int]] = {}
        for entry in entries(world):
            batch = decode_rows(entry.body)
            places = partitions_of(hash_keys(batch.column("p")), 5).tolist()
            assert {record.partitions[n].id for n in places} == {entry.partition_id}
            shards = shards_of(hash_keys(batch.column("id")), 2).tolist()
            assert {record.vchannels[n] for n in shards} == {entry.vchannel}
            for value in batch.column("p").to_pylist():
                found.setdefault(value, set()).add(entry.partition_id)
        assert all(len(ids) == 1 for ids in found.values())
        assert len({e.partition_id for e in entries(world)}) == 5
        assert len(entries(world)) == 10
        assert sorted(r["id"] for r in world.sequencer.rows(record.id)) == list(range(120))


async def test_an_upsert_by_partition_key_looks_for_the_older_row_in_all_partitions() -> None:
    async with ProxyWorld() as world:
        await world.create("c", parted_schema(), partitions=7)
        first, moved = [parted_request([1], [n], upsert=True) for n in (1, 2)]
        for request in (first, moved):
            assert (await world.call("Upsert", request)).status.code == 0
        one, two = entries(world)
        assert one.partition_id != two.partition_id
        assert (one.delete_partition_id, two.delete_partition_id) == (0, 0)
        both = parted_request([5, 5], [1, 2], upsert=True)
        answer = await world.call("Upsert", both)
        assert answer.upsert_cnt == 1
        assert [decode_rows(e.body).to_pylist()[0]["p"] for e in entries(world)[2:]] == [2]


async def test_a_repeat_is_cut_into_the_same_parts() -> None:
    async with ProxyWorld() as world:
        await world.create("c", parted_schema(), shards=2, partitions=3)
        request = parted_request(list(range(50)), list(range(50)))
        first = await world.call("Insert", request, idempotency_key="k")
        again = await world.call("Insert", request, idempotency_key="k")
        assert first.IDs == again.IDs
        assert len(world.sequencer.asked) == 2 * len(entries(world))


async def test_rows_for_many_partitions_are_encoded_in_a_thread() -> None:
    offload = CountingOffload()
    async with ProxyWorld(offload=offload) as world:
        record = await world.create("c", parted_schema(), partitions=1024)
        for count, calls in ((50, 0), (1000, 1)):
            request = parted_request(list(range(count)), list(range(count)))
            assert (await world.call("Insert", request)).status.code == 0
            assert offload.calls == calls
        assert len(world.sequencer.rows(record.id)) == 1050


async def test_with_a_partition_key_no_partition_can_be_named() -> None:
    async with ProxyWorld() as world:
        await world.create("c", parted_schema(), partitions=2)
        insert, upsert = (parted_request([1], [1], upsert=u) for u in (False, True))
        delete = pb.DeleteRequest(collection_name="c", expr="id == 1")
        for method, request in (("Insert", insert), ("Upsert", upsert), ("Delete", delete)):
            for name in ("_default_0", "_default", "x"):
                request.partition_name = name
                answer = await world.call(method, request)
                assert answer.status.code == 1100
                assert "has a partition key" in answer.status.reason
        delete.partition_name = ""
        assert (await world.call("Delete", delete)).status.code == 0
        assert [(e.partition_id, e.delete_partition_id) for e in entries(world)] == [(0, 0)]
