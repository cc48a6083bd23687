"""A write, planned: the parts that it is cut into and what each appends.

**Owns** the making of `AppendRequest`s from checked rows or keys. **Does not own** checks
(`rows_check`, `expressions`), the cut (`cut`) or sending (`sending`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from headrace.binlog.body import encode_keys, encode_rows
from headrace.binlog.columns import arrow_schema
from headrace.meta.records import CollectionRecord
from headrace.model.ids import ALL_PARTITIONS, DEFAULT_PARTITION, PartitionId
from headrace.model.request import part_id
from headrace.proxy.errors import Refusal
from headrace.proxy.write.automatic_keys import AutomaticKeys
from headrace.proxy.write.cut import (
    PartRows,
    Places,
    cut,
    kept_of,
    row_sizes,
    sizes_of,
    take,
)
from headrace.proxy.write.identity import Identity
from headrace.proxy.write.key_hash import (
    Shards,
    hash_keys,
    hash_rows,
    partitions_of,
    shards_of,
)
from headrace.proxy.write.rows_check import CheckedRows
from headrace.rpc.messages import AppendRequest

# The share of an entry that the cut fills; the rest is for the encoding around the values.
FILLED = 0.875


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A write into one version of a collection.

    `partition_ids` are those of the parts' partitions, in their order. `keys` are the keys of all
    rows, made ones included (of a delete: the keys to delete). `replaced` are the keys whose older
    rows go, in `replaced_in`, a partition or all; None in an insert. `columns` are those of the
    rows, none in a delete. `kept`, where an upsert repeats a key: the places of the rows that are
    stored, rising.
    """

    record: CollectionRecord
    partition_ids: Sequence[PartitionId]
    parts: Sequence[PartRows]
    keys: pa.Array
    replaced: pa.Array | None
    replaced_in: PartitionId
    columns: Sequence[pa.Array]
    kept: Places | None = None

    def append_request(
        self, part: PartRows, identity: Identity, entry_bytes_max: int
    ) -> AppendRequest:
        """The part, encoded; `Invalid` when defaults make it larger than an entry may be."""
        rows = deletes = 0
        body = delete_body = memoryview(b"")
        if self.columns:
            arrays = [take(column, part.places) for column in self.columns]
            batch = pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(self.record.schema))
            rows, body = batch.num_rows, memoryview(encode_rows(batch))
        if self.replaced is not None:
            keys = take(self.replaced, part.places)
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


def partition_of(record: CollectionRecord, name: str) -> PartitionId:
    """The id of a partition; `NotFound` when the collection has none of that name."""
    wanted = name or DEFAULT_PARTITION
    for partition in record.partitions:
        if partition.name == wanted and not partition.dropped:
            return partition.id
    raise Refusal.PARTITION_NOT_FOUND(at="partition_name", collection=record.name, name=wanted)


def check_partition(record: CollectionRecord, name: str) -> None:
    """Whether rows may go to a partition; `Invalid` where a partition key decides that."""
    if record.schema.partition_key is None:
        partition_of(record, name)
    elif name:
        raise Refusal.PARTITION_KEY_OWNS(at="partition_name", name=record.name)


def _scope(record: CollectionRecord, partition_id: PartitionId) -> PartitionId:
    """Where a delete in a partition is to look: in all, if there is no other. An entry stands only
    under the version that it was made for, so none can have come in between."""
    live = sum(not p.dropped for p in record.partitions)
    return partition_id if live > 1 else ALL_PARTITIONS


async def plan_rows(
    record: CollectionRecord,
    partition: str,
    rows: CheckedRows,
    *,
    upsert: bool,
    identity: Identity,
    automatic: AutomaticKeys | None,
    made: pa.Array | None,
    entry_bytes_max: int,
) -> Plan:
    """The plan of an insert or upsert.

    `automatic` gives keys where the collection makes them; `made` are those that an earlier plan of
    the same request was given.
    """
    shards = len(record.vchannels)
    if rows.keys is not None:
        shard_of_row = shards_of(hash_keys(rows.keys), shards)
    else:
        shard_of_row = shards_of(hash_rows(identity.request_id, rows.count), shards)
    keys = rows.keys
    if automatic is not None:
        keys = made if made is not None else await automatic.take(shard_of_row)
    assert keys is not None
    kept = kept_of(rows.keys) if upsert and rows.keys is not None else None
    if kept is not None:
        left_out = np.ones(rows.count, np.bool_)
        left_out[kept] = False
        shard_of_row[left_out] = -1
    check_partition(record, partition)
    by_key = _partition_of_row(record, rows)
    if by_key is None:
        partition_id = partition_of(record, partition)
        partition_ids: tuple[PartitionId, ...] = (partition_id,)
        replaced_in = _scope(record, partition_id)
    else:
        partition_ids = tuple(p.id for p in record.partitions)
        replaced_in = ALL_PARTITIONS  # the older row may have had another partition key
    parts = cut(
        shard_of_row,
        row_sizes(rows, upsert),
        shards,
        int(FILLED * entry_bytes_max),
        by_key,
        len(partition_ids),
    )
    columns = [keys if column is None else column for column in rows.columns]
    replaced = rows.keys if upsert else None
    return Plan(record, partition_ids, parts, keys, replaced, replaced_in, columns, kept)


def _partition_of_row(record: CollectionRecord, rows: CheckedRows) -> Shards | None:
    field = record.schema.partition_key
    if field is None:
        return None
    values = rows.columns[record.schema.fields.index(field)]
    assert values is not None
    return partitions_of(hash_keys(values), len(record.partitions))


def plan_delete(
    record: CollectionRecord, partition: str, keys: pa.Array, entry_bytes_max: int
) -> Plan:
    """The plan of a delete of these keys, each named once; without a partition, in all of them."""
    partition_id = ALL_PARTITIONS
    if partition:
        check_partition(record, partition)
        partition_id = _scope(record, partition_of(record, partition))
    shards = len(record.vchannels)
    shard_of_key = shards_of(hash_keys(keys), shards)
    parts = cut(shard_of_key, sizes_of([keys]), shards, int(FILLED * entry_bytes_max))
    return Plan(record, (partition_id,), parts, keys, keys, partition_id, ())
