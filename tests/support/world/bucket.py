"""A bucket as the data service and data nodes leave it, made without them.

**Owns** the short way to a snapshot for tests of the reader and of tools. Files are written by the
real formats, lists as the data service writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.fs as pafs

from headrace.binlog import (
    delta_log,
    insert_log,
    paths,
)
from headrace.binlog.delta_log import DeletesChunk
from headrace.binlog.insert_log import RowsChunk
from headrace.binlog.manifest import (
    Bundle,
    Manifest,
    ManifestSegment,
    NameList,
)
from headrace.model import codec
from headrace.model.ids import ALL_PARTITIONS
from headrace.model.schema import Schema
from headrace.model.segment import FileRef, SegmentState
from headrace.objects.arrow_files import file_system, memory_file_system
from headrace.objects.disk import Disk
from headrace.objects.memory import MemoryBucket
from support.world.clock import ManualClock

VCHANNEL = "headrace-dml-0_7v0"
COLLECTION = 7
PARTITION = 2


class Put(Protocol):
    """How objects get into the bucket."""

    def __call__(self, key: str, data: bytes) -> None:
        """Store one."""
        ...


@dataclass
class Bucket:
    """One collection, id 7; `publish` writes its lists."""

    files: pafs.FileSystem
    put: Put
    schema: Schema
    version: int = 1
    name: str = "docs"
    revision: int = 10
    timestamp: int = 0
    partitions: dict[int, str] = field(default_factory=lambda: {PARTITION: "_default"})
    schemas: dict[int, Schema] = field(default_factory=dict)
    segments: list[ManifestSegment] = field(default_factory=list)
    bundles: list[str] = field(default_factory=list)
    deltas: list[FileRef] = field(default_factory=list)
    row_id: int = 1000

    def __post_init__(self) -> None:
        self.schemas[self.version] = self.schema

    def alter(self, schema: Schema) -> None:
        """Rows from here on are of a new version."""
        self.version += 1
        self.schema = schema
        self.schemas[self.version] = schema

    def rows(
        self,
        segment_id: int,
        *chunks: tuple[int, pa.RecordBatch],
        partition_id: int = PARTITION,
        state: SegmentState = SegmentState.FLUSHED,
    ) -> FileRef:
        """One sync of a segment: (timestamp, rows) in order."""
        made = []
        for timestamp, batch in chunks:
            made.append(RowsChunk(batch, self.row_id, timestamp))
            self.row_id += batch.num_rows
            self.timestamp = max(self.timestamp, timestamp)
        encoded = insert_log.encode(self.schema, made)
        old = next((s for s in self.segments if s.id == segment_id), None)
        number = len(old.files) if old else 0
        key = paths.insert_key(COLLECTION, partition_id, segment_id, 1, number)
        self.put(key, b"".join(encoded.parts))
        ref = encoded.ref(key, 1)
        segment = old or ManifestSegment(
            id=segment_id,
            partition_id=partition_id,
            vchannel=VCHANNEL,
            version=self.version,
            state=state,
            rows=0,
            files=(),
        )
        segment = replace(segment, rows=segment.rows + ref.rows, files=(*segment.files, ref))
        self.segments = [*(s for s in self.segments if s is not old), segment]
        return ref

    def deletes(
        self, *chunks: tuple[int, Sequence[int | str]], partition_id: int = ALL_PARTITIONS
    ) -> FileRef:
        """One sync of a vchannel's deletes: (timestamp, keys) in order, all in one partition or in
        all."""
        kind = pa.string() if isinstance(chunks[0][1][0], str) else pa.int64()
        encoded = delta_log.encode(
            [DeletesChunk(pa.array(k, kind), t, partition_id) for t, k in chunks]
        )
        key = paths.delta_key(COLLECTION, VCHANNEL, 1, len(self.deltas))
        self.put(key, b"".join(encoded.parts))
        self.timestamp = max(self.timestamp, chunks[-1][0])
        self.deltas.append(encoded.ref(key, 1))
        return self.deltas[-1]

    def bundle(self) -> None:
        """Move all segments so far into a bundle."""
        key = paths.bundle_key(COLLECTION, VCHANNEL, f"{len(self.bundles):020d}")
        self.put(key, codec.encode(Bundle(segments=tuple(self.segments))))
        self.bundles.append(key)
        self.segments = []

    def publish(self, timestamp: int | None = None) -> Manifest:
        """Write the lists of a new revision, complete up to the newest timestamp, or this one."""
        self.revision += 1
        names = NameList(revision=self.revision, names={self.name: COLLECTION})
        listed = Manifest(
            collection_id=COLLECTION,
            name=self.name,
            revision=self.revision,
            timestamp=self.timestamp if timestamp is None else timestamp,
            version=self.version,
            schemas=dict(self.schemas),
            partitions=dict(self.partitions),
            segments=tuple(self.segments),
            deltas=tuple(self.deltas),
            bundles=tuple(self.bundles),
        )
        self.put(paths.manifest_key(COLLECTION, self.revision), codec.encode(listed))
        self.put(paths.names_key(self.revision), codec.encode(names))
        return listed


def memory_bucket(schema: Schema) -> Bucket:
    """A bucket in memory."""
    server = MemoryBucket(ManualClock())
    return Bucket(memory_file_system(server), server.put, schema)


def disk_bucket(root: Path, schema: Schema) -> Bucket:
    """A bucket in a directory."""
    disk = Disk(root, "test")
    return Bucket(file_system(root), lambda key, data: disk.put(key, [data]), schema)
