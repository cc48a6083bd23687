"""Which version of its collection each vchannel of the pchannel has, by what stands in the log.

A request that names an older version is refused, one that names a newer version waits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from headrace.meta.records import CollectionRecord, CollectionState, DdlRecord
from headrace.model.channel import Position, VChannel
from headrace.model.entry import DdlKind
from headrace.model.ids import CollectionId, Version
from headrace.rpc.messages import AppendRequest
from headrace.sequencer.events import VChannelView


class VersionVerdict(StrEnum):
    """On rows of a version."""

    READY = "ready"
    WAITS = "waits"  # for a DDL: one in flight, or one that is still to come
    STALE = "stale"  # the client encodes anew, same ids


@dataclass(slots=True)
class Present:
    """A vchannel as it stands."""

    collection_id: CollectionId
    version: Version
    key: str  # name of the key column
    dropped: bool
    position: Position | None  # of the DDL that made `version`, if known
    raising: Version = 0  # a DDL that is queued or in flight


class CollectionVersions:
    """The vchannels of one pchannel."""

    def __init__(self, views: Iterable[VChannelView] = ()) -> None:
        self._present: dict[VChannel, Present] = {}
        for view in views:
            record = view.record
            gone = (CollectionState.DROPPED, CollectionState.DROPPING)
            self._present[view.vchannel] = Present(
                collection_id=record.id,
                version=record.noted,
                key=record.schema.key.name,
                dropped=record.state in gone and record.noted == record.version,
                position=view.noted.positions.get(view.vchannel) if view.noted else None,
            )

    def __contains__(self, vchannel: VChannel) -> bool:
        return vchannel in self._present

    def get(self, vchannel: VChannel) -> Present | None:
        return self._present.get(vchannel)

    @property
    def any_alive(self) -> bool:
        """Whether there may be readers: a vchannel is not dropped."""
        return any(not p.dropped for p in self._present.values())

    def judge(self, request: AppendRequest) -> VersionVerdict:
        """Whether rows (or deletes) of the version that the request names may be appended now."""
        present = self._present.get(request.vchannel)
        if present is None:
            return VersionVerdict.WAITS
        if present.raising > 0:  # RQ-1: a refusal waits until the DDL stands
            return VersionVerdict.WAITS
        if request.version < present.version:  # DL-1: rows of another version are refused
            return VersionVerdict.STALE
        if request.version > present.version or present.dropped:
            return VersionVerdict.WAITS
        return VersionVerdict.READY

    def begin(self, vchannel: VChannel, record: CollectionRecord, ddl: DdlRecord) -> None:
        """A DDL for the vchannel is on its way."""
        present = self._present.get(vchannel)
        if present is None:
            key = record.schema.key.name
            present = Present(ddl.collection_id, 0, key, dropped=False, position=None)
            self._present[vchannel] = present
        present.raising = ddl.version

    def raise_to(self, vchannel: VChannel, ddl: DdlRecord, position: Position) -> None:
        """The DDL stands. A later one may be on its way already: what a new sequencer appends
        again was noted by its predecessor's entry, and the next one recorded."""
        present = self._present[vchannel]
        assert ddl.version >= present.version, f"{vchannel}: a version went back"
        present.version, present.position = ddl.version, position
        if present.raising <= ddl.version:
            present.raising = 0
        present.dropped = present.dropped or ddl.kind is DdlKind.DROP
