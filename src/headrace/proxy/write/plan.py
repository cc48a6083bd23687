"""A write, planned: the parts that it is cut into, where they go, and what each appends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from headrace.binlog.body import encode_keys, encode_rows
from headrace.binlog.columns import arrow_schema
from headrace.meta.records import CollectionRecord
from headrace.model.ids import ALL_PARTITIONS, PartitionId, part_id
from headrace.proxy.cluster.catalog import partition_of
from headrace.proxy.errors import Refusal
from headrace.proxy.write.automatic_keys import AllAutomaticKeys
from headrace.proxy.write.cut import Places, WritePart, cut, kept_of, row_sizes, take
from headrace.proxy.write.identity import RequestIdentity
from headrace.proxy.write.key_hash import Shards, hash_keys, hash_rows, partitions_of, shards_of
from headrace.proxy.write.rows_check import CheckedRows
from headrace.rpc.messages import AppendRequest

# The share of an entry that the cut fills; the rest is for the encoding around the values.
FILLED = 0.875


@dataclass(frozen=True, slots=True, eq=False)
class WritePlan:
    """How the rows of a write go into one version of a collection.

    `keys` are the keys of all rows, made ones included (of a delete: the keys to delete).
    `partition_ids` are those among which `WritePart.partition` is a place. `replaced_in` is where
    older rows are deleted: in a partition, or in all. `kept`, where an upsert repeats a key: the
    places of the rows that are stored, rising.
    """

    record: CollectionRecord
    rows: CheckedRows
    keys: pa.Array
    parts: Sequence[WritePart]
    partition_ids: Sequence[PartitionId]
    replaced_in: PartitionId
    kept: Places | None

    def append_request(
        self, part: WritePart, identity: RequestIdentity, entry_bytes_max: int
    ) -> AppendRequest:
        """The part, encoded; `Invalid` when defaults make it larger than an entry may be."""
        rows = deletes = 0
        body = delete_body = memoryview(b"")
        if self.rows.columns:
            columns = [self.keys if column is None else column for column in self.rows.columns]
            arrays = [take(column, part.places) for column in columns]
            batch = pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(self.record.schema))
            rows, body = batch.num_rows, memoryview(encode_rows(batch))
        if self.rows.replaces:
            keys = take(self.rows.keys, part.places)
            deletes, delete_body = len(keys), memoryview(encode_keys(keys))
        if len(body) + len(delete_body) > entry_bytes_max:
            size = len(body) + len(delete_body)
            raise Refusal.DEFAULTS_TOO_LARGE(got=size, most=entry_bytes_max)
        return AppendRequest(
            vchannel=self.record.vchannels[part.shard],
            collection_id=self.record.id,
            partition_id=self.partition_ids[part.partition],
            version=self.record.version,
            part_id=part_id(self.record.id, identity.request_id, part.number),
            fingerprint=identity.fingerprint,
            first_sent=identity.first_sent,
            keyed=identity.keyed,
            rows=rows,
            body=body,
            deletes=deletes,
            delete_body=delete_body,
            delete_partition_id=self.replaced_in if deletes else ALL_PARTITIONS,
            row_bytes=len(body),
        )


async def plan_write(
    record: CollectionRecord,
    partition: str,
    rows: CheckedRows,
    *,
    identity: RequestIdentity,
    automatic: AllAutomaticKeys | None,
    made: pa.Array | None,
    entry_bytes_max: int,
) -> WritePlan:
    """The plan of a write; `Invalid` when its rows may not go to the partition that it names.

    `automatic` gives keys where the collection makes them, else it may be None; `made` are those
    that an earlier plan of the same request was given.
    """
    partition_ids, replaced_in = _partitions(record, partition, deletes=not rows.columns)
    shards = len(record.vchannels)
    keys, kept = rows.keys, None
    if keys is not None:
        shard_of_row = shards_of(hash_keys(keys), shards)
    else:
        shard_of_row = shards_of(hash_rows(identity.request_id, rows.count), shards)
    if rows.columns and record.schema.key.auto_id:
        keys = made
        if keys is None and automatic is not None:
            keys = await automatic.take(record, shard_of_row)
    assert keys is not None
    if rows.columns and rows.replaces:
        kept = kept_of(rows.keys)
    if kept is not None:
        left_out = np.ones(rows.count, np.bool_)
        left_out[kept] = False
        shard_of_row[left_out] = -1
    parts = cut(
        shard_of_row,
        row_sizes(rows),
        shards,
        int(FILLED * entry_bytes_max),
        _partition_of_row(record, rows),
        len(partition_ids),
    )
    return WritePlan(record, rows, keys, parts, partition_ids, replaced_in, kept)


def _partitions(
    record: CollectionRecord, name: str, *, deletes: bool
) -> tuple[Sequence[PartitionId], PartitionId]:
    """The partitions to which rows go, and the one in which older rows are looked for.

    A delete that names none looks in all. An upsert by partition key does as well, since the older
    row may have had another partition key.
    """
    if deletes and not name:
        return (ALL_PARTITIONS,), ALL_PARTITIONS
    if record.schema.partition_key is not None:
        if name:
            raise Refusal.PARTITION_KEY_OWNS(at="partition_name", name=record.name)
        return tuple(p.id for p in record.partitions), ALL_PARTITIONS
    partition_id = partition_of(record, name)
    # In the only partition means in all. An entry stands only under the version that it was made
    # for, so no other partition can have come in between.
    alone = sum(not p.dropped for p in record.partitions) == 1
    scope = ALL_PARTITIONS if alone else partition_id
    return (scope if deletes else partition_id,), scope


def _partition_of_row(record: CollectionRecord, rows: CheckedRows) -> Shards | None:
    field = record.schema.partition_key
    if field is None or not rows.columns:
        return None
    values = rows.columns[record.schema.fields.index(field)]
    assert values is not None
    return partitions_of(hash_keys(values), len(record.partitions))
