"""Vectors and arrays of every kind, and partitions, through a real cluster into its files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from pymilvus import (
    Collection,
    CollectionSchema,
    DataType,
    FieldSchema,
    Function,
    FunctionType,
    MilvusClient,
    MilvusException,
    connections,
)
from support.processes.cluster import Cluster

from headrace.reader.snippets import duckdb_sql

ELEMENTS: dict[DataType, list[Any]] = {
    DataType.BOOL: [True, False],
    DataType.INT8: [-128, 127],
    DataType.INT16: [-(2**15), 2**15 - 1],
    DataType.INT32: [-(2**31), 2**31 - 1],
    DataType.INT64: [-(2**63), 2**63 - 1],
    DataType.FLOAT: [0.5, -1.25],
    DataType.DOUBLE: [0.1, 1e300],
    DataType.VARCHAR: ["", "ü"],
}
DIM = 16
ROWS = 50
DELETED = range(150, 160)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(Path(tmp_path_factory.mktemp("types")) / "data").start()
    started.wait_until_whole()
    yield started
    started.stop()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[MilvusClient]:
    made = MilvusClient(cluster.uri())
    yield made
    made.close()


def test_every_kind_of_vector_comes_back_bit_by_bit(cluster: Cluster, client: MilvusClient) -> None:
    schema = MilvusClient.create_schema(enable_dynamic_field=False)
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("float", DataType.FLOAT_VECTOR, dim=DIM)
    schema.add_field("half", DataType.FLOAT16_VECTOR, dim=DIM)
    schema.add_field("brain", DataType.BFLOAT16_VECTOR, dim=DIM)
    schema.add_field("small", DataType.INT8_VECTOR, dim=DIM)
    schema.add_field("bits", DataType.BINARY_VECTOR, dim=DIM)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    client.create_collection("vectors", schema=schema)
    chance = np.random.default_rng(4)
    floats = chance.random((ROWS, DIM), dtype=np.float32)
    floats16 = floats.astype(np.float16)
    brains = (floats.view(np.uint32) >> 16).astype(np.uint16)
    small = chance.integers(-128, 128, (ROWS, DIM)).astype(np.int8)
    bits = chance.integers(0, 256, (ROWS, DIM // 8)).astype(np.uint8)
    sparse = [{7 * k: k + 0.5 for k in range(n % 5)} for n in range(ROWS)]
    rows = [
        {
            "pk": n,
            "float": floats[n],
            "half": floats16[n],
            "brain": brains[n].tobytes(),
            "small": small[n],
            "bits": bits[n].tobytes(),
            "sparse": sparse[n],
        }
        for n in range(ROWS)
    ]
    assert client.insert("vectors", rows)["insert_count"] == ROWS
    client.flush("vectors")
    found = cluster.read("vectors").combine_chunks().sort_by("pk")
    for name, wanted in (
        ("float", floats),
        ("half", floats16),
        ("brain", brains),
        ("small", small),
        ("bits", bits),
    ):
        kept = found[name].combine_chunks().flatten().to_numpy()
        assert kept.tobytes() == wanted.tobytes(), name
    assert [
        dict(zip(row["indices"], row["values"], strict=True)) for row in found["sparse"].to_pylist()
    ] == sparse


def test_arrays_of_every_scalar_come_back(cluster: Cluster, client: MilvusClient) -> None:
    schema = MilvusClient.create_schema(enable_dynamic_field=False)
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
    for kind in ELEMENTS:
        sized = {"max_length": 8} if kind is DataType.VARCHAR else {}
        schema.add_field(
            kind.name,
            DataType.ARRAY,
            element_type=kind,
            max_capacity=4,
            nullable=True,
            **sized,
        )
    client.create_collection("arrays", schema=schema)
    wanted = [
        {"pk": n, **{k.name: None if n % 3 == 1 else v * (n % 3) for k, v in ELEMENTS.items()}}
        for n in range(ROWS)
    ]
    client.insert("arrays", [row | {"v": [0.0, 1.0]} for row in wanted])
    client.flush("arrays")
    found = cluster.read("arrays").drop_columns(["v"]).sort_by("pk")
    assert found.to_pylist() == wanted
    described = {f["name"]: f for f in client.describe_collection("arrays")["fields"]}
    assert described["VARCHAR"]["element_type"] == DataType.VARCHAR
    assert described["VARCHAR"]["params"] == {"max_capacity": 4, "max_length": 8}


def test_rows_of_a_dropped_partition_vanish_and_the_others_stay(
    cluster: Cluster, client: MilvusClient
) -> None:
    client.create_collection("parts", dimension=4)

    def rows(first: int) -> list[dict[str, Any]]:
        return [{"id": n, "vector": [1.0] * 4} for n in range(first, first + 10)]

    client.insert("parts", rows(0))
    for name in ("old", "new"):
        client.create_partition("parts", name)
        assert client.has_partition("parts", name)
    client.insert("parts", rows(100), partition_name="old")
    client.insert("parts", rows(200), partition_name="new")
    client.delete("parts", ids=[0, 100, 200])
    client.flush("parts")
    assert client.list_partitions("parts") == ["_default", "old", "new"]
    assert client.get_partition_stats("parts", "old")["row_count"] == 10
    assert keys(cluster) == [*range(1, 10), *range(101, 110), *range(201, 210)]
    client.insert("parts", rows(300), partition_name="old")
    client.drop_partition("parts", "old")
    client.insert("parts", rows(400), partition_name="new")
    client.flush("parts")
    assert keys(cluster) == [*range(1, 10), *range(201, 210), *range(400, 410)]
    assert not client.has_partition("parts", "old")


def keys(cluster: Cluster) -> list[int]:
    return sorted(cluster.read("parts")["id"].to_pylist())


def test_a_delete_and_an_upsert_concern_rows_of_their_partition(
    cluster: Cluster, client: MilvusClient
) -> None:
    client.create_collection("shared", dimension=4)
    client.create_partition("shared", "other")
    client.create_partition("shared", "third")
    for name, mark in (("_default", 0.0), ("other", 1.0), ("third", 2.0)):
        rows = [{"id": n, "vector": [mark] * 4} for n in range(10)]
        assert client.insert("shared", rows, partition_name=name)["insert_count"] == 10
    client.flush("shared")
    client.delete("shared", ids=[0, 1], partition_name="other")
    client.delete("shared", ids=[2])
    client.delete("shared", filter="id in [3]", partition_name="_default")
    replaced = [{"id": 4, "vector": [9.0] * 4}]
    client.upsert("shared", replaced)
    client.upsert("shared", replaced, partition_name="third")
    client.flush("shared")
    wanted = [(n, mark) for n in range(10) for mark in (0.0, 1.0, 2.0)]
    gone = {(0, 1.0), (1, 1.0), *((2, m) for m in (0.0, 1.0, 2.0)), (3, 0.0), (4, 0.0), (4, 2.0)}
    assert marked(cluster, "shared") == sorted([*set(wanted) - gone, (4, 9.0), (4, 9.0)])
    snapshot = cluster.snapshot("shared")
    told = duckdb.sql(duckdb_sql(snapshot, cluster.directory / "store")).fetchall()
    assert told == [(len(wanted) - len(gone) + 2, sum(n for n, _ in marked(cluster, "shared")))]
    client.drop_partition("shared", "third")
    client.upsert("shared", replaced)
    client.flush("shared")
    assert [mark for n, mark in marked(cluster, "shared") if n == 4] == [1.0, 9.0]


def marked(cluster: Cluster, name: str) -> list[tuple[int, float]]:
    found = cluster.read(name).to_pylist()
    return sorted((row["id"], row["vector"][0]) for row in found)


@pytest.mark.parametrize("kind", [DataType.INT64, DataType.VARCHAR])
def test_a_partition_key_decides_the_partition_of_each_row(
    cluster: Cluster, client: MilvusClient, kind: DataType
) -> None:
    name = f"tenants_{kind.name}"
    schema = MilvusClient.create_schema(enable_dynamic_field=True)
    sized = {"max_length": 40} if kind is DataType.VARCHAR else {}
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("tenant", kind, is_partition_key=True, **sized)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection(name, schema=schema, num_shards=2, num_partitions=8)
    assert client.list_partitions(name) == [f"_default_{n}" for n in range(8)]
    told = client.describe_collection(name)
    assert told["num_partitions"] == 8
    assert {f["name"]: f.get("is_partition_key", False) for f in told["fields"]}["tenant"]

    def tenant(number: int) -> int | str:
        return number if kind is DataType.INT64 else f"tenant {number}"

    def rows(ids: range, tenants: int) -> list[dict[str, Any]]:
        return [{"id": n, "tenant": tenant(n % tenants), "v": [n, n], "x": n} for n in ids]

    client.insert(name, rows(range(200), 40))
    client.flush(name)
    counts = [client.get_partition_stats(name, f"_default_{n}")["row_count"] for n in range(8)]
    assert sum(counts) == 200
    assert sum(count > 0 for count in counts) > 4
    client.upsert(name, rows(range(100), 7))
    client.delete(name, ids=list(DELETED))
    client.flush(name)
    found = cluster.read(name).select(["id", "tenant"]).to_pylist()
    wanted = {n: tenant(n % 7 if n < 100 else n % 40) for n in range(200) if n not in DELETED}
    assert {row["id"]: row["tenant"] for row in found} == wanted
    assert len(found) == len(wanted)
    for call in (client.create_partition, client.drop_partition):
        with pytest.raises(MilvusException, match="has a partition key"):
            call(name, "_default_0")
    for method in (client.insert, client.upsert):
        with pytest.raises(MilvusException, match="has a partition key"):
            method(name, rows(range(1), 1), partition_name="_default_0")
    with pytest.raises(MilvusException, match="has a partition key"):
        client.delete(name, ids=[1], partition_name="_default_0")


def test_a_partition_key_gets_16_partitions_through_the_orm(cluster: Cluster) -> None:
    connections.connect("parted", uri=cluster.uri())
    fields = [
        FieldSchema("id", DataType.VARCHAR, is_primary=True, max_length=20, auto_id=True),
        FieldSchema("tenant", DataType.VARCHAR, max_length=20, default_value="nobody"),
        FieldSchema("v", DataType.FLOAT_VECTOR, dim=2),
    ]
    schema = CollectionSchema(fields, partition_key_field="tenant")
    made = Collection("parted", schema, using="parted")
    assert [p.name for p in made.partitions] == [f"_default_{n}" for n in range(16)]
    made.insert([{"tenant": f"t{n}", "v": [n, n]} for n in range(30)])
    made.insert([{"v": [n, n]} for n in range(5)])
    made.flush()
    found = cluster.read("parted")["tenant"].to_pylist()
    assert sorted(found) == sorted([*(f"t{n}" for n in range(30)), *["nobody"] * 5])
    connections.disconnect("parted")


LATER = {
    "geometry": {"datatype": DataType.GEOMETRY},
    "text": {"datatype": DataType.TEXT, "max_length": 9},
    "timestamptz": {"datatype": DataType.TIMESTAMPTZ},
}
SERVED = "served are BOOL, INT8, INT16, INT32, INT64, FLOAT, DOUBLE, VARCHAR, JSON, ARRAY, BINARY_"


@pytest.mark.parametrize("name", list(LATER))
def test_a_type_that_came_later_is_refused_by_field_and_served_types(
    client: MilvusClient, name: str
) -> None:
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
    flags = dict(LATER[name])
    kind = flags.pop("datatype")
    schema.add_field(name, kind, **flags)
    with pytest.raises(MilvusException, match=f"field '{name}' has type .*; {SERVED}"):
        client.create_collection("later", schema=schema)


def test_an_array_of_structs_and_the_output_of_a_function_are_refused_by_their_names(
    client: MilvusClient,
) -> None:
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
    struct = MilvusClient.create_struct_field_schema()
    struct.add_field("part", DataType.FLOAT_VECTOR, dim=2)
    schema.add_field(
        "chunks", DataType.ARRAY, element_type=DataType.STRUCT, struct_schema=struct, max_capacity=4
    )
    with pytest.raises(MilvusException, match=f"field 'chunks' has type ARRAY of .*; {SERVED}"):
        client.create_collection("later", schema=schema)
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("text", DataType.VARCHAR, max_length=99, enable_analyzer=True)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(
        Function("bm25", FunctionType.BM25, input_field_names=["text"], output_field_names="sparse")
    )
    with pytest.raises(MilvusException, match=f"'sparse' is the output of a function.*; {SERVED}"):
        client.create_collection("later", schema=schema)
