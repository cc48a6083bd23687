"""Manifests and name lists: which files make up a collection, and what collections there are.

Both are JSON beside the files, so that a program that has only the bucket knows which files count,
with no process running. They are derived from meta at one revision, which is in their key, and
never change. They may lag; they never name a missing file (OB-1). Flushed segments are listed in
bundles, objects of their own that many manifests share, so that a manifest stays small.
"""

from dataclasses import dataclass, field

from headrace.model.channel import VChannel
from headrace.model.ids import CollectionId, PartitionId, Revision, SegmentId, Version
from headrace.model.schema import Schema
from headrace.model.segment import FileRef, SegmentState
from headrace.model.timestamp import Timestamp

FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSegment:
    """A segment and its committed insert logs, all encoded by one version of the collection."""

    id: SegmentId
    partition_id: PartitionId
    vchannel: VChannel
    version: Version
    state: SegmentState
    rows: int
    files: tuple[FileRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Flushed segments, in an object of their own, which manifests name instead of them."""

    segments: tuple[ManifestSegment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that a reader needs to read a collection.

    `timestamp`: everything at or below it is in the files; rows and deletes above it may be there
    in part, and a reader drops them. `schemas` has every version that a segment names, and
    `version`, the present one. Segments of partitions that are not in `partitions` do not count.
    """

    collection_id: CollectionId
    name: str
    revision: Revision
    timestamp: Timestamp
    version: Version
    schemas: dict[Version, Schema]
    partitions: dict[PartitionId, str]
    segments: tuple[ManifestSegment, ...] = ()
    deltas: tuple[FileRef, ...] = ()
    bundles: tuple[str, ...] = ()  # keys of `Bundle` objects
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class NameList:
    """The collections that have a name at a revision."""

    revision: Revision
    names: dict[str, CollectionId] = field(default_factory=dict)
    format: int = FORMAT
