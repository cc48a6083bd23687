"""What clients write through a real cluster is what the reader finds in the files."""

import asyncio
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import AsyncMilvusClient, DataType, MilvusClient
from support.processes.cluster import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(Path(tmp_path_factory.mktemp("clients")) / "data", proxies=2).start()
    started.wait_until_whole()
    yield started
    started.stop()


def every_type(key: DataType, *, auto_id: bool) -> Any:
    schema = MilvusClient.create_schema(auto_id=auto_id, enable_dynamic_field=True)
    sized = {"max_length": 64} if key is DataType.VARCHAR else {}
    schema.add_field("pk", key, is_primary=True, **sized)
    for name, kind, default in (
        ("b", DataType.BOOL, True),
        ("i8", DataType.INT8, -7),
        ("i16", DataType.INT16, 300),
        ("i32", DataType.INT32, -70_000),
        ("i64", DataType.INT64, 2**40),
        ("f", DataType.FLOAT, 0.5),
        ("d", DataType.DOUBLE, 0.1),
        ("t", DataType.VARCHAR, "none"),
    ):
        sized = {"max_length": 40} if kind is DataType.VARCHAR else {}
        schema.add_field(name, kind, **sized)
        schema.add_field(f"{name}_null", kind, nullable=True, **sized)
        schema.add_field(f"{name}_default", kind, default_value=default, **sized)
    schema.add_field("j", DataType.JSON)
    schema.add_field("j_null", DataType.JSON, nullable=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=5)
    return schema


def row_of(n: int) -> dict[str, Any]:
    """A row whose every third value of a nullable or defaulted field is left out or null."""
    row: dict[str, Any] = {
        "b": n % 2 == 0,
        "i8": n % 128,
        "i16": -n,
        "i32": n * 1000,
        "i64": -(2**62) + n,
        "f": n / 4,
        "d": math.pi * n,
        "t": f"text {n} ü",
        "j": {"n": n, "list": [None, True, "ü"]},
        "v": [n + k / 8 for k in range(5)],
    }
    for name in ("b", "i8", "i16", "i32", "i64", "f", "d", "t"):
        if n % 3:
            row[f"{name}_null"] = row[f"{name}_default"] = row[name]
        elif n % 2:
            row[f"{name}_null"] = row[f"{name}_default"] = None
    if n % 3:
        row["j_null"] = [n]
        row["color"] = f"c{n}"
    return row


def stored_of(row: dict[str, Any], schema: Any) -> dict[str, Any]:
    """The row as the files should have it."""
    defaults = {
        "b": True,
        "i8": -7,
        "i16": 300,
        "i32": -70_000,
        "i64": 2**40,
        "f": 0.5,
        "d": 0.1,
        "t": "none",
    }
    wanted = {"color": row.get("color")}
    for field in schema.fields:
        value = row.get(field.name)
        if field.name.endswith("_default") and value is None:
            value = defaults[field.name.removesuffix("_default")]
        wanted[field.name] = value
    return wanted


def read_rows(cluster: Cluster, name: str) -> dict[Any, dict[str, Any]]:
    rows = {}
    for row in cluster.read(name).to_pylist():
        more = json.loads(row.pop("$meta"))
        for field in ("j", "j_null"):
            row[field] = None if row[field] is None else json.loads(row[field])
        row["color"] = more.pop("color", None)
        assert more == {}
        assert row["pk"] not in rows
        rows[row["pk"]] = row
    return rows


@pytest.mark.parametrize("key", [DataType.INT64, DataType.VARCHAR])
@pytest.mark.parametrize("auto_id", [False, True])
def test_every_type_comes_back(cluster: Cluster, key: DataType, auto_id: bool) -> None:
    client = cluster.client()
    name = f"types_{key.name.lower()}_{auto_id}"
    schema = every_type(key, auto_id=auto_id)
    client.create_collection(name, schema=schema, num_shards=2)
    wanted = {}
    for start in range(0, 60, 20):
        rows = [row_of(n) for n in range(start, start + 20)]
        if not auto_id:
            for n, row in enumerate(rows, start):
                row["pk"] = n if key is DataType.INT64 else f"key {n}"
        keys = client.insert(name, rows)["ids"]
        wanted.update(
            {k: {**stored_of(r, schema), "pk": k} for k, r in zip(keys, rows, strict=True)}
        )
    client.flush(name)
    assert read_rows(cluster, name) == wanted
    assert client.get_collection_stats(name) == {"row_count": 60}
    client.close()


def test_upserts_and_deletes_come_back(cluster: Cluster) -> None:
    client = cluster.client(2)
    client.create_collection("changed", dimension=4, num_shards=2)
    rng = np.random.default_rng(1)
    wanted = {}

    def rows(keys: list[int]) -> list[dict[str, Any]]:
        vectors = rng.random((len(keys), 4), dtype=np.float32)
        made = [{"id": k, "vector": v} for k, v in zip(keys, vectors, strict=True)]
        wanted.update({row["id"]: row["vector"].tobytes() for row in made})
        return made

    client.insert("changed", rows(list(range(200))))
    client.upsert("changed", rows([5, 6, 7, 500, 6]))
    client.delete("changed", ids=[7, 8, 9])
    client.delete("changed", filter="id == 10")
    client.flush("changed")
    client.upsert("changed", rows([8, 11]))
    client.delete("changed", filter="id in {gone}", filter_params={"gone": [500, 12]})
    client.flush("changed")
    for key in (7, 9, 10, 500, 12):
        del wanted[key]
    table = cluster.read("changed")
    found = {row["id"]: np.array(row["vector"], np.float32).tobytes() for row in table.to_pylist()}
    assert found == wanted
    assert table.num_rows == len(wanted)
    client.close()


async def test_many_writers_and_a_repeated_key_give_each_row_once(cluster: Cluster) -> None:
    clients = [AsyncMilvusClient(cluster.uri(n)) for n in (1, 2)]
    await clients[0].create_collection("many", dimension=4, num_shards=2, auto_id=True)

    async def write(n: int) -> list[int]:
        row = [{"vector": [float(n)] * 4, "n": n} for _ in range(10)]
        key = f"headrace:batch-{n}"
        first = await clients[n % 2].insert("many", row, client_request_id=key)
        again = await clients[(n + 1) % 2].insert("many", row, client_request_id=key)
        assert first["ids"] == again["ids"]
        return list(first["ids"])

    ids = [i for batch in await asyncio.gather(*(write(n) for n in range(40))) for i in batch]
    await clients[1].flush("many")
    table = await asyncio.to_thread(cluster.read, "many")
    assert sorted(table.column("id").to_pylist()) == sorted(ids)
    assert len(set(ids)) == 400
    for client in clients:
        await client.close()


def test_a_collection_is_renamed_and_made_anew_under_rows(cluster: Cluster) -> None:
    first, second = cluster.client(1), cluster.client(2)
    first.create_collection("old", dimension=4)
    first.insert("old", [{"id": 1, "vector": [1.0] * 4}])
    second.rename_collection("old", "new")
    first.insert("new", [{"id": 2, "vector": [2.0] * 4}])
    second.flush("new")
    assert sorted(cluster.read("new").column("id").to_pylist()) == [1, 2]
    second.drop_collection("new")
    assert not first.has_collection("new")
    first.create_collection("new", dimension=4)
    second.insert("new", [{"id": 3, "vector": [3.0] * 4}])
    first.flush("new")
    assert cluster.read("new").column("id").to_pylist() == [3]
    for client in (first, second):
        client.close()
