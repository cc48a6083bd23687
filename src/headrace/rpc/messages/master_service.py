"""What the master service is asked: timestamps, ids, DDL."""

from dataclasses import dataclass, field

from headrace.model.collection import CollectionRecord
from headrace.model.schema import Schema
from headrace.rpc.messages.registry import Done, answered_by


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantResponse:
    """Timestamps `first` .. `first + count - 1`, disjoint from all others, to be used only in
    `pchannels`: those of the request for which the asker is the wanted sequencer."""

    first: int
    count: int
    pchannels: tuple[str, ...]


@answered_by(GrantResponse, kw_only=True)
class GrantRequest:
    """A sequencer process asks for timestamps, one call in flight for all its pchannels."""

    server_id: int
    count: int
    pchannels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllocTimestampResponse:
    """One timestamp, above all granted before it was asked for."""

    timestamp: int


@answered_by(AllocTimestampResponse)
class AllocTimestampRequest:
    """Anyone asks for one timestamp (a flush, a client's AllocTimestamp)."""


@dataclass(frozen=True, slots=True)
class AllocIdsResponse:
    """Ids `first` .. `first + count - 1`, never given out before or again."""

    first: int
    count: int


@answered_by(AllocIdsResponse)
class AllocIdsRequest:
    """Anyone leases a range of ids (segments, rows, automatic keys)."""

    count: int


@dataclass(frozen=True, slots=True)
class CollectionResponse:
    """A collection as it stands."""

    record: CollectionRecord


@answered_by(CollectionResponse, kw_only=True)
class CreateCollectionRequest:
    """Create; again with the same schema it is done, with another `Invalid`."""

    name: str
    schema: Schema
    shards: int
    consistency_level: int = 0
    properties: dict[str, str] = field(default_factory=dict)
    partitions: int = 0  # of a partition key; 0 = none


@answered_by(Done)
class DropCollectionRequest:
    """Drop; done as well when it is absent."""

    name: str


@answered_by(Done)
class RenameCollectionRequest:
    """Give a collection another name; `Invalid` when that is taken, `NotFound` when absent."""

    name: str
    new_name: str


@answered_by(Done, kw_only=True)
class PartitionRequest:
    """Create or drop a partition; done as well when it is already so."""

    collection: str
    partition: str
    drop: bool = False


@answered_by(Done, kw_only=True)
class SetClientStateRequest:
    """Keep (or with an empty value forget) what a client said of a collection: indexes, loads.

    `topic` is e.g. `index/FIELD/NAME` or `load`; it goes with the collection.
    """

    collection_id: int
    topic: str
    value: bytes


@answered_by(Done, kw_only=True)
class SuspectRequest:
    """The asker's connection to this process was refused or reset: try it yourself.

    Sent to the master service about proxies, to the data service about data nodes.
    """

    server_id: int
    address: str
