"""Vectors and arrays of every kind, and partitions, through a real cluster into its files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from support.cluster import Cluster

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
    halves = floats.astype(np.float16)
    brains = (floats.view(np.uint32) >> 16).astype(np.uint16)
    small = chance.integers(-128, 128, (ROWS, DIM)).astype(np.int8)
    bits = chance.integers(0, 256, (ROWS, DIM // 8)).astype(np.uint8)
    sparse = [{7 * k: k + 0.5 for k in range(n % 5)} for n in range(ROWS)]
    rows = [
        {
            "pk": n,
            "float": floats[n],
            "half": halves[n],
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
        ("half", halves),
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
