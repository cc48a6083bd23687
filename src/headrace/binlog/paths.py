"""Keys of objects: what is where in the bucket.

    insert/COLL/PART/SEG/EPOCH-N.parquet     rows of one sync of a segment
    stats/COLL/PART/SEG/EPOCH-N.stats        statistics of that file
    delta/COLL/VCHANNEL/EPOCH-N.parquet      deletes of one sync of a vchannel
    bundles/COLL/VCHANNEL/NAME.json          flushed segments, listed once for many manifests
    manifests/COLL/REVISION.json             manifest, the revision as 20 digits
    collections/REVISION.json                name list
    owner.json                               which cluster writes here

The epoch and a number are in the key of all that a data node writes, so a replaced writer can never
take the key of its successor. Revisions have 20 digits, so that the last name wins on every store.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from headrace.model.channel import VChannel
from headrace.model.errors import Invalid
from headrace.model.ids import CollectionId, Epoch, PartitionId, Revision, SegmentId

NAMES_PREFIX = "collections/"
OWNER_KEY = "owner.json"
DATA_PREFIXES = ("insert/", "delta/", "stats/")
_REVISION_DIGITS = 20
_DATA = re.compile(
    r"^(?:(?P<rows>insert|stats)/(?P<coll>\d+)/(?P<part>\d+)/(?P<seg>\d+)"
    r"|delta/(?P<delta_coll>\d+)/(?P<vchannel>[^/]+))"
    r"/(?P<epoch>\d+)-(?P<number>\d+)\.(?P<ending>parquet|stats)$"
)
_REVISION = re.compile(r"^(?:collections|manifests/\d+)/(\d{20})\.json$")


class DataKind(StrEnum):
    """What a data node writes."""

    INSERT = "insert"
    DELTA = "delta"
    STATS = "stats"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """A key of a data node's object, taken apart: a segment's file or a vchannel's deletes."""

    kind: DataKind
    collection_id: CollectionId
    epoch: Epoch
    number: int
    partition_id: PartitionId = 0  # insert and stats
    segment_id: SegmentId = 0  # insert and stats
    vchannel: VChannel = ""  # delta


def insert_key(
    collection_id: CollectionId,
    partition_id: PartitionId,
    segment_id: SegmentId,
    epoch: Epoch,
    number: int,
) -> str:
    """The key of a sync's rows; `number` is unique in (vchannel, epoch)."""
    return f"insert/{collection_id}/{partition_id}/{segment_id}/{epoch}-{number}.parquet"


def delta_key(collection_id: CollectionId, vchannel: VChannel, epoch: Epoch, number: int) -> str:
    """The key of a sync's deletes; `number` is unique in (vchannel, epoch)."""
    return f"delta/{collection_id}/{vchannel}/{epoch}-{number}.parquet"


def stats_key(key: str) -> str:
    """The key of the statistics that belong to an insert log's key."""
    assert key.startswith("insert/") and key.endswith(".parquet"), key
    return "stats/" + key.removeprefix("insert/").removesuffix(".parquet") + ".stats"


def bundle_key(collection_id: CollectionId, vchannel: VChannel, name: str) -> str:
    """The key of a bundle of flushed segments; the same name means the same content."""
    return f"bundles/{collection_id}/{vchannel}/{name}.json"


def bundle_vchannel(key: str) -> VChannel:
    """The vchannel of a bundle's key, "" when it is none."""
    parts = key.split("/")
    return parts[2] if len(parts) == 4 and parts[0] == "bundles" else ""


def bundles_prefix(collection_id: CollectionId) -> str:
    """All bundles of a collection."""
    return f"bundles/{collection_id}/"


def manifest_key(collection_id: CollectionId, revision: Revision) -> str:
    """The key of a collection's manifest."""
    return f"{manifests_prefix(collection_id)}{revision:0{_REVISION_DIGITS}d}.json"


def manifests_prefix(collection_id: CollectionId) -> str:
    """All manifests of a collection, the highest last."""
    return f"manifests/{collection_id}/"


def names_key(revision: Revision) -> str:
    """The key of a name list."""
    return f"{NAMES_PREFIX}{revision:0{_REVISION_DIGITS}d}.json"


def parse_revision(key: str) -> Revision:
    """The revision in the key of a manifest or name list; `Invalid` when it is neither."""
    match = _REVISION.match(key)
    if match is None:
        raise Invalid(f"{key!r} is no key of a list", field="key")
    return int(match[1])


def parse_data_key(key: str) -> DataKey:
    """Take a data node's key apart; `Invalid` when it is none (or some tool's leftover)."""
    match = _DATA.match(key)
    if match is None or (match["ending"] == "stats") != (match["rows"] == "stats"):
        raise Invalid(f"{key!r} is no key of a data file", field="key")
    epoch, number = int(match["epoch"]), int(match["number"])
    if match["rows"] is None:
        return DataKey(
            kind=DataKind.DELTA,
            collection_id=int(match["delta_coll"]),
            vchannel=match["vchannel"],
            epoch=epoch,
            number=number,
        )
    return DataKey(
        kind=DataKind(match["rows"]),
        collection_id=int(match["coll"]),
        partition_id=int(match["part"]),
        segment_id=int(match["seg"]),
        epoch=epoch,
        number=number,
    )
