"""Collections of every type, written through each of pymilvus's clients.

**Owns** the cases (a client, a kind of key, with or without a dynamic field) and what was written
into each: inserted, replaced and deleted, with a kill of a data node amid it. **Does not own** the
columns and their values (`support.values.type_table`), or reading back.
"""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pymilvus import (
    AsyncMilvusClient,
    Collection,
    CollectionSchema,
    DataType,
    FieldSchema,
    MilvusClient,
    connections,
)

from support.processes.cluster import Cluster
from support.values.type_table import ROWS, columns, rows_of

TABLE = columns()
REPLACED, DELETED = range(6), range(6, 9)  # numbers of rows that are upserted and deleted
NEWER = 1000  # the number of what replaces a row, above its own


@dataclass
class Case:
    """A collection of one schema, written through one client."""

    client: str
    key: DataType
    auto: bool
    dynamic: bool
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)  # by number
    keys: dict[int, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the collection."""
        return f"{self.client}_{self.key.name}{'_auto' * self.auto}{'_dynamic' * self.dynamic}"

    def make(self, first: int, *, sparing: bool = False) -> list[dict[str, Any]]:
        """Rows from a number on."""
        key = None if self.auto else self.key
        return rows_of(TABLE, first, key=key, dynamic=self.dynamic, sparing=sparing)

    def ordered(self) -> list[dict[str, Any]]:
        """The rows that are there, by their numbers."""
        return [row for _, row in sorted(self.rows.items())]

    def ordered_keys(self) -> list[Any]:
        """The keys of these."""
        return [key for _, key in sorted(self.keys.items())]

    def keep(self, rows: list[dict[str, Any]], keys: Sequence[Any]) -> None:
        """They were acknowledged with these keys."""
        assert len(keys) == len(rows)
        for row, key in zip(rows, keys, strict=True):
            self.rows[row["number"]], self.keys[row["number"]] = row, key


def all_cases() -> list[Case]:
    """Every kind of key, with and without a dynamic field, through either client."""
    made = [
        Case(client, key, auto, dynamic)
        for client in ("milvus_client", "orm")
        for key, auto in itertools.product((DataType.INT64, DataType.VARCHAR), (False, True))
        for dynamic in (False, True)
    ]
    return [*made, Case("asynchronous", DataType.INT64, False, True)]


class Client:
    """The calls of this test, by each of pymilvus's clients."""

    def __init__(self, uri: str) -> None:
        self.plain = MilvusClient(uri)
        self._uri = uri
        connections.connect("every_type", uri=uri)
        self._orm: dict[str, Collection] = {}

    def close(self) -> None:
        """Both connections."""
        connections.disconnect("every_type")
        self.plain.close()

    def create(self, case: Case) -> None:
        """Its collection."""
        key_flags = {"max_length": 64} if case.key is DataType.VARCHAR else {}
        if case.client == "orm":
            key = FieldSchema("id", case.key, is_primary=True, auto_id=case.auto, **key_flags)
            fields = [key, *(FieldSchema(c.name, c.type, **c.flags()) for c in TABLE)]
            schema = CollectionSchema(fields, enable_dynamic_field=case.dynamic)
            self._orm[case.name] = Collection(case.name, schema, using="every_type", num_shards=2)
            return
        schema = MilvusClient.create_schema(auto_id=case.auto, enable_dynamic_field=case.dynamic)
        schema.add_field("id", case.key, is_primary=True, **key_flags)
        for column in TABLE:
            schema.add_field(column.name, column.type, **column.flags())
        if case.client == "asynchronous":
            asyncio.run(self._async("create_collection", case.name, schema=schema))
        else:
            self.plain.create_collection(case.name, schema=schema, num_shards=2)

    def insert(self, case: Case, rows: list[dict[str, Any]]) -> Sequence[Any]:
        """The keys that were answered."""
        if case.client == "orm":
            answer = self._orm[case.name].insert(rows)
            assert answer.insert_count == len(rows)
            return list(answer.primary_keys)
        if case.client == "asynchronous":
            told = asyncio.run(self._async("insert", case.name, rows))
        else:
            told = self.plain.insert(case.name, rows)
        assert told["insert_count"] == len(rows)
        return list(told["ids"])

    def upsert(self, case: Case, rows: list[dict[str, Any]]) -> None:
        """Replace rows by their keys."""
        if case.client == "orm":
            self._orm[case.name].upsert(rows)
        elif case.client == "asynchronous":
            asyncio.run(self._async("upsert", case.name, rows))
        else:
            self.plain.upsert(case.name, rows)

    def delete(self, case: Case, keys: list[Any]) -> None:
        """By keys."""
        if case.client == "orm":
            self._orm[case.name].delete(f"id in {orjson.dumps(keys).decode()}")
        elif case.client == "asynchronous":
            asyncio.run(self._async("delete", case.name, ids=keys))
        else:
            self.plain.delete(case.name, ids=keys)

    def flush(self, case: Case) -> None:
        """Returns when all is stored."""
        if case.client == "orm":
            self._orm[case.name].flush()
        elif case.client == "asynchronous":
            asyncio.run(self._async("flush", case.name))
        else:
            self.plain.flush(case.name)

    async def _async(self, method: str, *args: Any, **named: Any) -> Any:
        client = AsyncMilvusClient(self._uri)
        try:
            return await getattr(client, method)(*args, **named)
        finally:
            await client.close()


def write_all(cluster: Cluster, client: Client, cases: list[Case]) -> None:
    """Every case, with a SIGKILL of a data node that has half of the rows in memory."""
    for case in cases:
        client.create(case)
        rows = case.make(0)
        case.keep(rows, client.insert(case, rows))
    cluster.kill("data-node-1")
    for case in cases:
        for first, sparing in ((ROWS, True), (2 * ROWS, False)):
            rows = case.make(first, sparing=sparing)
            case.keep(rows, client.insert(case, rows))
        replace_and_delete(client, case)
    for case in {case.client: case for case in cases}.values():
        client.flush(case)
    client.plain.flush_all()


def replace_and_delete(client: Client, case: Case) -> None:
    if not case.auto:
        rows = case.make(NEWER)[: len(REPLACED)]
        for row, old in zip(rows, REPLACED, strict=True):
            row["id"] = case.keys.pop(old)
            del case.rows[old]
        client.upsert(case, rows)
        case.keep(rows, [row["id"] for row in rows])
    client.delete(case, [case.keys[n] for n in DELETED])
    for number in DELETED:
        del case.rows[number], case.keys[number]
