"""What a DDL makes of a collection's record."""

from dataclasses import replace
from typing import Any

import pytest

from headrace.masterservice.collections import records
from headrace.meta.records import CollectionRecord, CollectionState
from headrace.model.channel import Position
from headrace.model.entry import DdlKind
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field, Schema
from headrace.rpc.messages import CreateCollectionRequest

KEY = Field(id=100, name="id", type=DataType.INT64, primary=True)
VECTOR = Field(id=101, name="vector", type=DataType.FLOAT_VECTOR, dim=8)
TENANT = Field(id=102, name="tenant", type=DataType.INT64, partition_key=True)
SCHEMA = Schema(fields=(KEY, VECTOR))


def asked(**changes: Any) -> CreateCollectionRequest:
    return replace(CreateCollectionRequest(name="books", schema=SCHEMA, shards=2), **changes)


def created(**changes: Any) -> CollectionRecord:
    change = records.create(asked(**changes), 7, ("p-3", "p-5"), 1000)
    positions = {v: Position("p", 1, 2) for v in change.record.vchannels}
    return records.note(change, positions).record


def test_a_new_collection_is_version_one_with_a_vchannel_a_shard() -> None:
    change = records.create(asked(), 7, ("p-3", "p-5"), 1000)
    record = change.record
    assert (record.id, record.version, record.noted) == (7, 1, 0)
    assert record.state is CollectionState.CREATING
    assert record.vchannels == ("p-3_7v0", "p-5_7v1")
    assert [(p.id, p.name) for p in record.partitions] == [(8, "_default")]
    assert (change.ddl.kind, change.ddl.version, change.ddl.noted) == (DdlKind.CREATE, 1, False)
    assert change.ddl.schema == SCHEMA


def test_a_partition_key_has_its_partitions_from_the_beginning() -> None:
    record = created(partitions=3)
    assert [p.name for p in record.partitions] == ["_default_0", "_default_1", "_default_2"]
    assert [p.id for p in record.partitions] == [8, 9, 10]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shards": 0}, "shards"),
        ({"shards": 17}, "shards"),
        ({"partitions": 1025}, "partitions"),
        ({"name": ""}, "collection_name"),
        ({"schema": Schema(fields=(VECTOR,))}, "schema"),
    ],
)
def test_what_cannot_be_made_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        records.check_create(asked(**changes), 16)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"consistency_level": 3}, ""),
        ({"shards": 1}, "2 shards, not 1"),
        ({"partitions": 4}, "1 partitions, not 4"),
        ({"schema": Schema(fields=(KEY, VECTOR, TENANT))}, "no field 'tenant'"),
        ({"schema": Schema(fields=(KEY,))}, "a field 'vector'"),
        ({"schema": Schema(fields=(KEY, replace(VECTOR, dim=9)))}, "'vector' has dim 8, not 9"),
        (
            {"schema": Schema(fields=(KEY, replace(VECTOR, type=DataType.VARCHAR)))},
            "'vector' has type FLOAT_VECTOR, not VARCHAR",
        ),
        ({"schema": Schema(fields=(VECTOR, KEY))}, "another order"),
        (
            {"schema": Schema(fields=(replace(VECTOR, id=100), replace(KEY, id=101)))},
            "another order",
        ),
        ({"schema": Schema(fields=(KEY, VECTOR), description="x")}, "description"),
    ],
)
def test_an_existing_collection_is_the_one_asked_for_or_it_is_said_why_not(
    changes: dict[str, Any], words: str
) -> None:
    found = records.difference(created(), asked(**changes))
    assert words in found
    assert bool(found) == bool(words)


def test_every_ddl_raises_the_version_by_one() -> None:
    record = created()
    partition = records.create_partition(record, "p", 50, 2000)
    assert partition is not None
    for change in (
        records.drop(record, 2000),
        records.rename(record, "novels", 2000),
        partition,
    ):
        assert change.record.version == change.ddl.version == 2
        assert change.record.noted == 1
        assert change.record.id == change.ddl.collection_id == 7


def test_a_drop_passes_through_dropping_to_dropped() -> None:
    change = records.drop(created(), 2000)
    assert change.record.state is CollectionState.DROPPING
    positions = {v: Position("p", 4, 5) for v in reversed(change.record.vchannels)}
    after = records.note(change, positions)
    assert after.record.state is CollectionState.DROPPED
    assert after.record.noted == 2
    assert after.ddl.noted and list(after.ddl.positions) == list(change.record.vchannels)


def test_partitions_are_created_once_and_dropped_once() -> None:
    record = created()
    change = records.create_partition(record, "p", 50, 2000)
    assert change is not None
    assert (change.ddl.kind, change.ddl.partition_id) == (DdlKind.CREATE_PARTITION, 50)
    assert records.create_partition(change.record, "p", 51, 3000) is None
    gone = records.drop_partition(change.record, "p", 4000)
    assert gone is not None
    assert (gone.ddl.kind, gone.ddl.partition_id) == (DdlKind.DROP_PARTITION, 50)
    assert [p.dropped for p in gone.record.partitions] == [False, True]
    assert records.drop_partition(gone.record, "p", 5000) is None
    again = records.create_partition(gone.record, "p", 52, 6000)
    assert again is not None and again.ddl.partition_id == 52


def test_the_default_partition_and_those_of_a_partition_key_are_not_for_clients() -> None:
    with pytest.raises(Invalid, match="can not be dropped"):
        records.drop_partition(created(), "_default", 1)
    keyed = created(schema=Schema(fields=(KEY, VECTOR, TENANT)), partitions=2)
    with pytest.raises(Invalid, match="partition key"):
        records.create_partition(keyed, "p", 50, 1)
    with pytest.raises(Invalid, match="needs a name"):
        records.create_partition(created(), "", 50, 1)


def test_a_collection_cannot_lose_its_name() -> None:
    with pytest.raises(Invalid):
        records.rename(created(), "", 1)
