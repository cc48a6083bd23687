"""What a sync says to the data service: SaveBinlogPaths requests.

**Owns** the content of the requests of one sync. **Does not own** when they are sent (`queue`).

One transaction has room for 128 operations, so a large sync makes several requests, each of whole
segments; the channel checkpoint stays in all but the last. The deletes go with the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.datanode.handoff import CheckpointProposal, SegmentPart, StoredPack
from headrace.model.channel import VChannel
from headrace.model.ids import CollectionId, Epoch, SegmentId, ServerId
from headrace.model.position import Position
from headrace.rpc.messages import DeletesReport, SaveBinlogPathsRequest, SegmentReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who reports: an assignment."""

    server_id: ServerId
    vchannel: VChannel
    epoch: Epoch
    collection_id: CollectionId

    def alone(self, extends: Position, proposal: CheckpointProposal) -> SaveBinlogPathsRequest:
        """The channel checkpoint moves, and nothing else but what it passes."""
        return self.request((), None, extends, proposal)

    def request(
        self,
        segments: Sequence[SegmentReport],
        deletes: DeletesReport | None,
        extends: Position,
        proposal: CheckpointProposal,
    ) -> SaveBinlogPathsRequest:
        """One request."""
        return SaveBinlogPathsRequest(
            server_id=self.server_id,
            vchannel=self.vchannel,
            epoch=self.epoch,
            segments=tuple(segments),
            deletes=deletes,
            channel_extends=extends,
            channel_checkpoint=proposal.checkpoint,
            dropped=proposal.dropped,
            dropped_partitions=proposal.dropped_partitions,
        )

    def segment(self, part: SegmentPart, stored: StoredPack) -> SegmentReport:
        """What a sync did for one segment."""
        file = stored.files.get(part.segment_id)
        return SegmentReport(
            segment_id=part.segment_id,
            collection_id=self.collection_id,
            partition_id=part.partition_id,
            version=part.version,
            files=(file,) if file else (),
            rows=part.rows,
            start=part.start,
            extends=part.extends,
            checkpoint=stored.head.position,
            flushed=part.flush,
        )

    def deletes(self, stored: StoredPack) -> DeletesReport | None:
        """What a sync did for the deletes."""
        part = stored.head.deletes
        if part is None or stored.delta is None:
            return None
        return DeletesReport(
            files=(stored.delta,),
            rows=part.deletes,
            extends=part.extends,
            checkpoint=stored.head.position,
        )


def split(parts: Sequence[SegmentPart], most: int) -> list[tuple[SegmentPart, ...]]:
    """Whole segments a request, at most `most`; at least one (perhaps empty) share."""
    shares = [tuple(parts[i : i + most]) for i in range(0, len(parts), most)]
    return shares or [()]


def flushed_by(stored: StoredPack) -> tuple[SegmentId, ...]:
    """The segments that this sync flushes."""
    return tuple(p.segment_id for p in stored.head.segments if p.flush)
