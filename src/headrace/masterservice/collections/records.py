"""What a DDL makes of a collection: the next record and the DDL to be recorded with it. Pure.

Every DDL raises the collection's version by one. A record is never edited in place: `dataclasses.
replace` makes the next one, so that what stands and what is wanted can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from headrace.meta.records import (
    CollectionRecord,
    CollectionState,
    DdlRecord,
    PartitionRecord,
)
from headrace.model.channel import PChannel, Position, VChannel, vchannel_name
from headrace.model.entry import DdlKind
from headrace.model.errors import Invalid
from headrace.model.ids import DEFAULT_PARTITION, CollectionId, PartitionId
from headrace.model.refusals import Refusal
from headrace.model.schema import DataType, Field, Schema
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import CreateCollectionRequest

STATE_LINE = (
    CollectionState.CREATING,
    CollectionState.CREATED,
    CollectionState.DROPPING,
    CollectionState.DROPPED,
)
WHEN_NOTED = {
    CollectionState.CREATING: CollectionState.CREATED,
    CollectionState.DROPPING: CollectionState.DROPPED,
}  # all other DDL leaves the state as it is
MOST_PARTITIONS = 1024  # of a collection, dropped ones included: they stand in one record
MOST_SHARDS = 16  # keeps the transaction of a create below the meta store's limit


@dataclass(frozen=True, slots=True)
class Change:
    """A DDL to be recorded: the record that it leads to, and the DDL itself."""

    record: CollectionRecord
    ddl: DdlRecord


def check_create(asked: CreateCollectionRequest, pchannels: int) -> None:
    """`Invalid` when no collection can be made of this."""
    most = min(pchannels, MOST_SHARDS)
    if not 1 <= asked.shards <= most:
        raise Refusal.SHARDS_BAD(at="shards", got=asked.shards, most=most)
    if asked.partitions > MOST_PARTITIONS:
        raise Invalid(
            f"partitions is {asked.partitions}; at most {MOST_PARTITIONS}", field="partitions"
        )
    if not asked.name:
        raise Invalid("a collection needs a name", field="collection_name")
    if sum(field.primary for field in asked.schema.fields) != 1:
        raise Invalid("a collection needs exactly one primary field", field="schema")


def partition_names(asked: CreateCollectionRequest) -> tuple[str, ...]:
    """The partitions that a collection begins with; those of a partition key as Milvus names
    them."""
    if not asked.partitions:
        return (DEFAULT_PARTITION,)
    return tuple(f"{DEFAULT_PARTITION}_{n}" for n in range(asked.partitions))


def create(
    asked: CreateCollectionRequest, first_id: int, pchannels: Sequence[PChannel], now: Timestamp
) -> Change:
    """Version 1. `first_id` becomes the collection's, the next ones its partitions'."""
    names = partition_names(asked)
    record = CollectionRecord(
        id=first_id,
        name=asked.name,
        version=1,
        noted=0,
        state=CollectionState.CREATING,
        schema=asked.schema,
        vchannels=tuple(
            vchannel_name(pchannel, first_id, shard) for shard, pchannel in enumerate(pchannels)
        ),
        partitions=tuple(
            PartitionRecord(id=first_id + 1 + n, name=name, created=now)
            for n, name in enumerate(names)
        ),
        created=now,
        consistency_level=asked.consistency_level,
        properties=dict(asked.properties),
    )
    return Change(record, _ddl(record, DdlKind.CREATE, now))


def difference(record: CollectionRecord, asked: CreateCollectionRequest) -> str:
    """What stands against taking an existing collection for the one that is asked for, or ""."""
    if record.schema != asked.schema:
        return _schema_difference(record.schema, asked.schema)
    if len(record.vchannels) != asked.shards:
        return f"it has {len(record.vchannels)} shards, not {asked.shards}"
    if asked.partitions and len(record.partitions) != asked.partitions:
        return f"it has {len(record.partitions)} partitions, not {asked.partitions}"
    return ""


def drop(record: CollectionRecord, now: Timestamp) -> Change:
    """The last version."""
    after = replace(record, version=record.version + 1, state=CollectionState.DROPPING)
    return Change(after, _ddl(after, DdlKind.DROP, now))


def rename(record: CollectionRecord, new_name: str, now: Timestamp) -> Change:
    """The same collection under another name."""
    if not new_name:
        raise Invalid("a collection needs a name", field="new_name")
    after = replace(record, version=record.version + 1, name=new_name)
    return Change(after, _ddl(after, DdlKind.RENAME, now))


def create_partition(
    record: CollectionRecord, name: str, partition_id: PartitionId, now: Timestamp
) -> Change | None:
    """With one partition more; None = it is there."""
    _check_manual(record, name)
    if _living(record, name) is not None:
        return None
    if len(record.partitions) >= MOST_PARTITIONS:
        raise Refusal.PARTITIONS_MOST(at="partition_name", name=record.name, most=MOST_PARTITIONS)
    added = PartitionRecord(id=partition_id, name=name, created=now)
    after = replace(record, version=record.version + 1, partitions=(*record.partitions, added))
    return Change(after, _ddl(after, DdlKind.CREATE_PARTITION, now, partition_id))


def drop_partition(record: CollectionRecord, name: str, now: Timestamp) -> Change | None:
    """Without that partition; None = it is not there."""
    _check_manual(record, name)
    if name == DEFAULT_PARTITION:
        raise Refusal.PARTITION_KEPT(at="partition_name", name=name)
    gone = _living(record, name)
    if gone is None:
        return None
    partitions = tuple(replace(p, dropped=True) if p is gone else p for p in record.partitions)
    after = replace(record, version=record.version + 1, partitions=partitions)
    return Change(after, _ddl(after, DdlKind.DROP_PARTITION, now, gone.id))


def note(change: Change, positions: dict[VChannel, Position]) -> Change:
    """The same when the DDL stands in every vchannel, at these positions."""
    state = WHEN_NOTED.get(change.record.state, change.record.state)
    ordered = {vchannel: positions[vchannel] for vchannel in change.record.vchannels}
    return Change(
        replace(change.record, noted=change.record.version, state=state),
        replace(change.ddl, noted=True, positions=ordered),
    )


def _ddl(
    record: CollectionRecord, kind: DdlKind, now: Timestamp, partition_id: PartitionId = 0
) -> DdlRecord:
    collection_id: CollectionId = record.id
    return DdlRecord(
        collection_id=collection_id,
        version=record.version,
        kind=kind,
        schema=record.schema,
        name=record.name,
        recorded=now,
        partition_id=partition_id,
    )


def _check_manual(record: CollectionRecord, name: str) -> None:
    if not name:
        raise Invalid("a partition needs a name", field="partition_name")
    if any(field.partition_key for field in record.schema.fields):
        raise Refusal.PARTITION_KEY_OWNS(at="partition_name", name=record.name)


def _living(record: CollectionRecord, name: str) -> PartitionRecord | None:
    return next((p for p in record.partitions if p.name == name and not p.dropped), None)


def _schema_difference(standing: Schema, asked: Schema) -> str:
    there = {field.name: field for field in standing.fields}
    wanted = {field.name: field for field in asked.fields}
    for name in wanted:
        if name not in there:
            return f"it has no field {name!r}"
    for name, field in there.items():
        if name not in wanted:
            return f"it has a field {name!r}"
        if replace(field, id=wanted[name].id) != wanted[name]:  # the id is the place in the order
            return _field_difference(field, wanted[name])
    if standing.description != asked.description:
        return "its description is another"
    return "its fields have another order"


def _field_difference(standing: Field, asked: Field) -> str:
    names = [item.name for item in fields(Field) if item.name != "id"]
    name = next(n for n in names if getattr(standing, n) != getattr(asked, n))
    there, wanted = getattr(standing, name), getattr(asked, name)
    if isinstance(there, DataType):
        there, wanted = there.name, wanted.name
    return f"its field {standing.name!r} has {name} {there}, not {wanted}"
