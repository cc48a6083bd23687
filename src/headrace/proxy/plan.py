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
from headrace.model.ids import DEFAULT_PARTITION, PartitionId
from headrace.model.request import part_id
from headrace.proxy.automatic_keys import AutomaticKeys
from headrace.proxy.cut import PartRows, cut, kept_of, row_sizes, sizes_of, take
from headrace.proxy.errors import Refusal
from headrace.proxy.identity import Identity
from headrace.proxy.key_hash import hash_keys, hash_rows, shards_of
from headrace.proxy.rows_check import CheckedRows
from headrace.rpc.messages import AppendRequest

# The share of an entry that the cut fills; the rest is for the encoding around the values.
FILLED = 0.875
ALL_PARTITIONS: PartitionId = 0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A write into one version of a collection.

    `keys` are the keys of all rows, made ones included (of a delete: the keys to delete).
    `replaced` are the keys whose older rows go, None in an insert. `columns` are those of the rows,
    none in a delete.
    """

    record: CollectionRecord
    partition_id: PartitionId
    parts: Sequence[PartRows]
    keys: pa.Array
    replaced: pa.Array | None
    columns: Sequence[pa.Array]

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
            partition_id=self.partition_id,
            version=self.record.version,
            part_id=part_id(self.record.id, identity.request_id, part.number),
            fingerprint=identity.fingerprint,
            first_sent=identity.first_sent,
            keyed=identity.keyed,
            rows=rows,
            body=body,
            deletes=deletes,
            delete_body=delete_body,
            row_bytes=len(body),
        )


def partition_of(record: CollectionRecord, name: str) -> PartitionId:
    """The id of a partition; `NotFound` when the collection has none of that name."""
    wanted = name or DEFAULT_PARTITION
    for partition in record.partitions:
        if partition.name == wanted and not partition.dropped:
            return partition.id
    raise Refusal.PARTITION_NOT_FOUND(at="partition_name", collection=record.name, name=name)


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
    parts = cut(shard_of_row, row_sizes(rows, upsert), shards, int(FILLED * entry_bytes_max))
    columns = [keys if column is None else column for column in rows.columns]
    replaced = rows.keys if upsert else None
    return Plan(record, partition_of(record, partition), parts, keys, replaced, columns)


def plan_delete(
    record: CollectionRecord, partition: str, keys: pa.Array, entry_bytes_max: int
) -> Plan:
    """The plan of a delete of these keys, each named once; without a partition, in all of them.

    `Invalid` in one partition of several: files of deletes do not say of which they are.
    """
    partition_id = partition_of(record, partition) if partition else ALL_PARTITIONS
    if partition and sum(not p.dropped for p in record.partitions) > 1:
        raise Refusal.DELETE_IN_PARTITION(at="partition_name", name=partition)
    shards = len(record.vchannels)
    shard_of_key = shards_of(hash_keys(keys), shards)
    parts = cut(shard_of_key, sizes_of([keys]), shards, int(FILLED * entry_bytes_max))
    return Plan(record, partition_id, parts, keys, keys, ())
