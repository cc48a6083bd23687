"""Finds what a bucket holds: the highest name list, and a collection's highest manifest.

The highest manifest names no missing object (OB-1), and what an older one names stays for the
grace: a reader's time counts from here. When a manifest goes between the listing and its reading,
it was not the highest any more, so the listing is repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pyarrow.fs as pafs

from headrace.binlog import paths
from headrace.binlog.manifest import Bundle, Manifest, ManifestSegment, NameList
from headrace.model import codec
from headrace.model.errors import Conflict, NotFound, Unavailable
from headrace.model.ids import CollectionId
from headrace.model.segment import SegmentState
from headrace.model.timestamp import Timestamp, iso_time

T = TypeVar("T")
_ATTEMPTS = 5
NO_STORE = "store"  # the field of the error for what has no name list


@dataclass(frozen=True, slots=True)
class FoundManifest:
    """A manifest with its bundles read: the segments that count."""

    manifest: Manifest
    segments: tuple[ManifestSegment, ...]


def find_names(files: pafs.FileSystem) -> NameList:
    """The collections that a bucket has now; `NotFound` when it is no bucket of ours."""
    return _highest(
        files,
        paths.NAMES_PREFIX,
        lambda key: codec.decode(read_object(files, key), NameList, key),
        "this store has no list of collections: is it the object store of a cluster?",
        field=NO_STORE,
    )


def find_collection(files: pafs.FileSystem, collection: str | int) -> CollectionId:
    """The id of a collection by its name, or an id (also one that was renamed meanwhile)."""
    names = find_names(files).names
    if isinstance(collection, str) and collection in names:
        return names[collection]
    if str(collection).isdecimal() and int(collection) in names.values():
        return int(collection)
    known = ", ".join(sorted(names)) or "none"
    raise NotFound(
        f"there is no collection {collection!r} in this store; there are: {known}",
        field="collection",
        code=100,
    )


def find_snapshot(
    files: pafs.FileSystem, collection_id: CollectionId, at: Timestamp | None
) -> FoundManifest:
    """The highest manifest of a collection, with its bundles.

    `NotFound`: it has none yet. `Unavailable`: the highest is not complete up to `at`.
    """

    def load(key: str) -> FoundManifest:
        found = codec.decode(read_object(files, key), Manifest, key)
        bundled = [codec.decode(read_object(files, k), Bundle, k).segments for k in found.bundles]
        segments = [*(s for b in bundled for s in b), *found.segments]
        return FoundManifest(found, tuple(s for s in segments if _counts(s, found)))

    found = _highest(
        files,
        paths.manifests_prefix(collection_id),
        load,
        f"collection {collection_id} has no snapshot yet: flush it, or wait some seconds",
    )
    if at is not None and at > found.manifest.timestamp:
        raise Unavailable(
            f"the files of {found.manifest.name!r} are complete up to {found.manifest.timestamp} "
            f"({iso_time(found.manifest.timestamp)}), not up to {at}: "
            "flush it, or wait some seconds"
        )
    return found


def read_object(files: pafs.FileSystem, key: str) -> bytes:
    """A small object; FileNotFoundError when it is absent."""
    with files.open_input_file(key) as file:
        data: bytes = file.read()
    return data


def gone(key: str) -> Conflict:
    """The error for a file that a snapshot names and that is not there any more."""
    return Conflict(
        f"{key} is gone: this snapshot is older than the grace after which replaced files are "
        "removed; open the collection again (a longer grace is a setting of the data service)"
    )


def _highest(
    files: pafs.FileSystem,
    prefix: str,
    load: Callable[[str], T],
    absent: str,
    field: str = "collection",
) -> T:
    missing = ""
    for _ in range(_ATTEMPTS):
        selector = pafs.FileSelector(prefix.rstrip("/"), allow_not_found=True)
        keys = [i.path for i in files.get_file_info(selector) if i.path.endswith(".json")]
        if not keys:
            raise NotFound(absent, field=field, code=100)
        try:
            return load(max(keys))
        except FileNotFoundError as error:
            missing = str(error)
    raise gone(missing)


def _counts(segment: ManifestSegment, found: Manifest) -> bool:
    return segment.state != SegmentState.DROPPED and segment.partition_id in found.partitions
