"""Unmodified clients of pymilvus do their usual work against the front door."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymilvus import AsyncMilvusClient, DataType, MilvusClient, MilvusException
from support.world.open_door import OpenDoor, open_door

from headrace.proxy.settings import ProxySettings


@pytest.fixture
def door() -> Iterator[OpenDoor]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def client(door: OpenDoor) -> Iterator[MilvusClient]:
    made = MilvusClient(door.uri)
    yield made
    made.close()


def rows_of(door: OpenDoor, name: str) -> list[dict[str, Any]]:
    record = next(r for r in door.world.collections() if r.name == name)
    return door.world.sequencer.rows(record.id)


def test_the_quick_set_up_of_a_collection(door: OpenDoor, client: MilvusClient) -> None:
    client.create_collection("quick", dimension=8)
    assert door.calls == [
        "Connect",
        "CreateCollection",
        "CreateIndex",
        "AllocTimestamp",
        "DescribeIndex",
        "LoadCollection",
        "GetLoadingProgress",
    ]
    result = client.insert(
        "quick", [{"id": n, "vector": [0.5] * 8, "color": "red"} for n in range(5)]
    )
    assert (result["insert_count"], result["ids"]) == (5, [0, 1, 2, 3, 4])
    assert rows_of(door, "quick")[0]["$meta"] == '{"color":"red"}'
    result = client.upsert("quick", [{"id": n, "vector": [1.0] * 8} for n in (1, 2, 2)])
    assert result["upsert_count"] == 2
    assert client.delete("quick", ids=[1, 2])["delete_count"] == 2
    assert client.delete("quick", filter="id == 3")["delete_count"] == 1
    assert (
        client.delete("quick", filter="id in {k}", filter_params={"k": [1, 2]})["delete_count"] == 2
    )
    client.flush("quick")
    assert client.get_collection_stats("quick") == {"row_count": 7}
    assert client.get_load_state("quick")["state"].name == "Loaded"
    assert client.list_indexes("quick") == ["vector"]
    assert client.describe_index("quick", "vector")["state"] == "Finished"
    assert len(client.list_persistent_segments("quick")) == 2


def test_an_explicit_schema_with_every_served_type(door: OpenDoor, client: MilvusClient) -> None:
    schema = MilvusClient.create_schema(auto_id=True, enable_dynamic_field=True)
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("b", DataType.BOOL, nullable=True)
    schema.add_field("i8", DataType.INT8, default_value=5)
    schema.add_field("i16", DataType.INT16, nullable=True)
    schema.add_field("i32", DataType.INT32)
    schema.add_field("i64", DataType.INT64, nullable=True, default_value=-1)
    schema.add_field("f", DataType.FLOAT, default_value=1.5)
    schema.add_field("d", DataType.DOUBLE)
    schema.add_field("t", DataType.VARCHAR, max_length=20, nullable=True)
    schema.add_field("j", DataType.JSON, nullable=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=4)
    client.create_collection("types", schema=schema, num_shards=2)
    described = client.describe_collection("types")
    assert described["auto_id"]
    assert described["num_shards"] == 2
    assert described["enable_dynamic_field"]
    vector = np.array([1e-40, -0.0, 3.0, 4.0], np.float32)
    full = {
        "b": True,
        "i8": -128,
        "i16": 300,
        "i32": 7,
        "i64": 2**62,
        "f": 0.25,
        "d": 1e300,
        "t": "über",
        "j": {"a": [1, None]},
        "v": vector,
        "extra": "ü",
    }
    sparse = {"i32": 8, "d": 0.5, "v": [1.0, 2.0, 3.0, 4.0], "i8": None, "t": None, "j": None}
    result = client.insert("types", [full, sparse])
    assert result["insert_count"] == 2
    found = {row["pk"]: row for row in rows_of(door, "types")}
    first, second = (found[key] for key in result["ids"])
    assert np.array(first.pop("v"), np.float32).tobytes() == vector.tobytes()
    assert first == {
        **{k: v for k, v in full.items() if k not in ("v", "extra", "j")},
        "pk": result["ids"][0],
        "j": '{"a":[1,null]}',
        "$meta": '{"extra":"ü"}',
    }
    del second["pk"]
    assert second == {
        "b": None,
        "i8": 5,
        "i16": None,
        "i32": 8,
        "i64": -1,
        "f": 1.5,
        "d": 0.5,
        "t": None,
        "j": None,
        "v": [1.0, 2.0, 3.0, 4.0],
        "$meta": "{}",
    }


def test_collections_are_found_listed_renamed_and_dropped(client: MilvusClient) -> None:
    client.create_collection("a", dimension=4, id_type="string", max_length=32)
    assert client.has_collection("a")
    assert not client.has_collection("b")
    client.rename_collection("a", "b")
    assert client.list_collections() == ["b"]
    client.insert("b", [{"id": "it's", "vector": [1.0] * 4}])
    assert (
        client.delete("b", filter="id in {k}", filter_params={"k": ["it's"]})["delete_count"] == 1
    )
    assert client.delete("b", ids=["x", "y"])["delete_count"] == 2
    assert client.list_partitions("b") == ["_default"]
    assert client.has_partition("b", "_default")
    assert client.list_databases() == ["default"]
    client.use_database("default")
    assert client.list_aliases("b")["aliases"] == []
    client.drop_collection("b")
    client.drop_collection("b")
    assert client.list_collections() == []
    assert client.get_server_version().startswith("headrace-")


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda c: c.search("q", data=[[0.1] * 4]), "Search is not served yet"),
        (lambda c: c.query("q", filter="id > 0"), "Query is not served yet"),
        (lambda c: c.get("q", ids=[1]), "Query is not served yet"),
        (lambda c: c.load_partitions("q", ["p"]), "has no partition 'p'"),
        (lambda c: c.create_alias("q", "a"), "CreateAlias is not served yet"),
        (lambda c: c.compact("q"), "ManualCompaction is not served yet"),
        (lambda c: c.optimize("q"), "ManualCompaction is not served yet"),
        (lambda c: c.truncate_collection("q"), "TruncateCollection is not served yet"),
        (lambda c: c.create_database("d"), "CreateDatabase is not served yet"),
        (lambda c: c.use_database("d"), "database 'd' does not exist"),
        (lambda c: c.create_user("u", "password"), "CreateCredential is not served yet"),
        (
            lambda c: c.add_collection_field("q", "z", DataType.INT64, nullable=True),
            "AddCollectionField is not served yet",
        ),
        (
            lambda c: c.alter_collection_properties("q", {"collection.ttl.seconds": 5}),
            "'collection.ttl.seconds'",
        ),
        (
            lambda c: c.create_collection("t", dimension=4, properties={"warmup": True}),
            "'warmup'",
        ),
        (lambda c: c.delete("q", filter="id > 5"), "`id in [1, 2]`"),
        (lambda c: c.insert("q", [{"id": 1, "vector": [0.1] * 3}]), "dim 4, not 3"),
        (lambda c: c.insert("q", [{"id": 1, "vector": [float("nan")] * 4}]), "row 0: NaN"),
        (lambda c: c.insert("none", [{"id": 1}]), "'none' does not exist"),
        (
            lambda c: c.upsert("q", [{"id": 1, "vector": [0.1] * 4}], partial_update=True),
            "partial_update",
        ),
        (
            lambda c: c.insert("q", [{"id": 1, "vector": [0.1] * 4}], namespace="n"),
            "namespace",
        ),
    ],
)
def test_what_is_refused_is_a_milvus_exception_in_words(
    client: MilvusClient, work: Any, words: str
) -> None:
    client.create_collection("q", dimension=4)
    with pytest.raises(MilvusException) as caught:
        work(client)
    assert words in caught.value.message


def test_a_key_makes_a_repeat_harmless(door: OpenDoor, client: MilvusClient) -> None:
    client.create_collection("q", dimension=4, auto_id=True)
    row = {"vector": [1.0] * 4}
    first = client.insert("q", [row], client_request_id="headrace:once")
    again = client.insert("q", [row], client_request_id="headrace:once")
    assert first == again
    assert len(rows_of(door, "q")) == 1


def test_a_client_that_knows_an_older_collection_describes_it_anew(
    door: OpenDoor, client: MilvusClient
) -> None:
    client.create_collection("q", dimension=4)
    client.insert("q", [{"id": 1, "vector": [1.0] * 4}])
    other = MilvusClient(door.uri, dedicated=True)
    record = door.world.collections()[0]
    door.do(door.world.change(record, created=record.created + 1))
    assert other.insert("q", [{"id": 2, "vector": [1.0] * 4}])["insert_count"] == 1
    other.close()


def test_a_token_is_checked_when_it_is_set() -> None:
    with open_door(ProxySettings(port=0, token="root:secret")) as door:
        client = MilvusClient(door.uri, token="root:secret")
        assert client.list_collections() == []
        client.close()
        with pytest.raises(MilvusException, match="illegal connection params"):
            MilvusClient(door.uri, token="root:wrong").list_collections()


async def test_the_asynchronous_client_does_the_same(door: OpenDoor) -> None:
    client = AsyncMilvusClient(door.uri)
    await client.create_collection("quick", dimension=4)
    result = await client.insert("quick", [{"id": n, "vector": [1.0] * 4} for n in range(3)])
    assert result["insert_count"] == 3
    await client.upsert("quick", [{"id": 1, "vector": [2.0] * 4}])
    deleted = await client.delete("quick", ids=[2])
    assert deleted["delete_count"] == 1
    await client.flush("quick")
    assert await client.get_collection_stats("quick") == {"row_count": 4}
    assert await client.has_collection("quick")
    assert await client.list_collections() == ["quick"]
    with pytest.raises(MilvusException, match="Search is not served yet"):
        await client.search("quick", data=[[0.1] * 4])
    await client.drop_collection("quick")
    await client.close()
