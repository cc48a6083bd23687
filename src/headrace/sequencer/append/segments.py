"""The segments that are open in one term: which rows go where, and when each is to be sealed.

There is one for each (vchannel, partition) that has rows. A term begins with none: TermStart seals
what older terms left open. Times are monotonic seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.meta.records import DdlRecord
from headrace.model.channel import VChannel
from headrace.model.entry import DdlKind, SegmentRows
from headrace.model.ids import CollectionId, PartitionId, SegmentId, Version
from headrace.model.invariants import violated
from headrace.rpc.messages import AppendRequest
from headrace.sequencer.settings import SequencerSettings


@dataclass(slots=True)
class OpenSegment:
    """A segment that takes rows."""

    id: SegmentId
    vchannel: VChannel
    collection_id: CollectionId
    partition_id: PartitionId
    version: Version
    opened_at: float
    last_row_at: float
    rows: int = 0
    size_bytes: int = 0


class Segments:
    """The open segments of one pchannel."""

    def __init__(self, settings: SequencerSettings) -> None:
        self._settings = settings
        self._open: dict[tuple[VChannel, PartitionId], OpenSegment] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opens(self, request: AppendRequest) -> bool:
        """Whether the request's rows begin a segment, which needs an id."""
        return request.rows > 0 and (request.vchannel, request.partition_id) not in self._open

    def place(self, request: AppendRequest, new_id: SegmentId, now: float) -> SegmentRows:
        """Put the request's rows into the open segment, or into a new one with that id."""
        place = (request.vchannel, request.partition_id)
        segment = self._open.get(place)
        opens = segment is None
        if segment is None:
            segment = self._open[place] = OpenSegment(
                id=new_id,
                vchannel=request.vchannel,
                collection_id=request.collection_id,
                partition_id=request.partition_id,
                version=request.version,
                opened_at=now,
                last_row_at=now,
            )
        if segment.version != request.version:
            violated("SC-1", f"segment {segment.id} of {segment.version} got {request.version}")
        segment.rows += request.rows
        segment.size_bytes += request.row_bytes or len(request.body)
        segment.last_row_at = now
        return SegmentRows(segment.id, 0, request.rows, opens)

    def full(self, request: AppendRequest) -> OpenSegment | None:
        """The segment of the request's rows, if its size asks for a Seal."""
        segment = self._open.get((request.vchannel, request.partition_id))
        if segment is None or segment.size_bytes < self._settings.segment_bytes_max:
            return None
        return segment

    def due(self, now: float) -> list[OpenSegment]:
        """Those whose age or idleness asks for a Seal, in the order in which they were opened."""
        return [
            s
            for s in self._open.values()
            if now - s.opened_at >= self._settings.segment_age_s
            or now - s.last_row_at >= self._settings.segment_idle_s
        ]

    def of_collection(
        self, collection_id: CollectionId, only: tuple[SegmentId, ...] = ()
    ) -> list[OpenSegment]:
        """Those of a collection (0 = of all), or only the named ones among them."""
        return [
            s
            for s in self._open.values()
            if collection_id in (0, s.collection_id) and (not only or s.id in only)
        ]

    def has(self, segment: OpenSegment) -> bool:
        return self._open.get((segment.vchannel, segment.partition_id)) is segment

    def sealed_by(self, vchannel: VChannel, ddl: DdlRecord) -> list[OpenSegment]:
        """Those that a DDL closes by Seals: a segment has exactly one version. What the DDL drops
        needs none."""
        if ddl.kind is DdlKind.DROP:
            return []
        return self._matching(
            lambda s: (
                s.vchannel == vchannel
                and not (ddl.kind is DdlKind.DROP_PARTITION and s.partition_id == ddl.partition_id)
            )
        )

    def close(self, segment: OpenSegment) -> None:
        del self._open[segment.vchannel, segment.partition_id]

    def end(self, vchannel: VChannel, ddl: DdlRecord) -> None:
        """What a DDL drops is open no more."""
        for segment in self._matching(lambda s: s.vchannel == vchannel):
            dropped = ddl.kind is DdlKind.DROP or (
                ddl.kind is DdlKind.DROP_PARTITION and segment.partition_id == ddl.partition_id
            )
            if dropped:
                self.close(segment)

    def _matching(self, wanted: Callable[[OpenSegment], bool]) -> list[OpenSegment]:
        return [s for s in self._open.values() if wanted(s)]
