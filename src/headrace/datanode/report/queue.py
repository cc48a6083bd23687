"""Makes the reports of one vchannel: one at a time, in order, repeated until they are answered.

One transaction of the data service has room for 128 operations, so a large sync makes several
requests, each of whole segments. The channel checkpoint stays in all but the last; the deletes go
with the last.

A request that is repeated is the same in every byte: an answer may be lost after the transaction,
and only the same request can then be answered "done".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headrace.datanode.handoff import CheckpointProposal, SegmentSync, SyncPack
from headrace.model.channel import Position
from headrace.model.ids import ServerId
from headrace.model.invariants import violated
from headrace.rpc.messages import DeletesReport, SaveBinlogPathsRequest, SegmentReport, Watch

ANSWERS = ("applied", "done", "forgotten")  # an answer that was lost is no conflict


@dataclass(slots=True)
class Sending:
    """A request that is on its way, or waits to be sent. `number` is the sync's, 0 = none."""

    request: SaveBinlogPathsRequest
    number: int
    sent: bool = False
    attempt: int = 0
    trouble: str = ""


class ReportQueue:
    """The reports of one flowgraph, and its channel checkpoint as it was last confirmed.

    `proposal` says where the checkpoint may stand, given the number of a sync that is reported with
    it (0 = none). `most` segments go into one request.
    """

    def __init__(
        self,
        watch: Watch,
        server_id: ServerId,
        most: int,
        proposal: Callable[[int], CheckpointProposal],
    ) -> None:
        self._vchannel, self._epoch = watch.vchannel, watch.epoch
        self._server_id = server_id
        self._most = most
        self._proposal = proposal
        self._shares: list[Sequence[SegmentSync]] = []
        self._pack: SyncPack | None = None
        self.checkpoint = watch.seek
        self.sending: Sending | None = None
        self.part = 0  # of the sync that is being reported: transactions answered

    @property
    def idle(self) -> bool:
        """Nothing is on its way and nothing is left of a sync."""
        return self.sending is None and self._pack is None

    def begin(self, pack: SyncPack) -> None:
        """Report a sync: the first of its requests is ready to be sent."""
        assert self.idle
        parts = pack.segments
        self._pack = pack
        self._shares = [parts[i : i + self._most] for i in range(0, len(parts), self._most)] or [()]
        self.part = 0
        self._next_share(pack)

    def move(self, proposal: CheckpointProposal) -> None:
        """Report the channel checkpoint alone (and the drops that it passes)."""
        assert self.idle
        self.sending = Sending(self._request((), None, proposal), 0)

    def answered(self) -> SyncPack | None:
        """The request on its way stands. The sync that is thereby wholly reported, if one is."""
        assert self.sending is not None
        self.checkpoint = self.sending.request.channel_checkpoint
        self.sending = None
        if self._pack is None:
            return None
        self.part += 1
        if self._shares:
            self._next_share(self._pack)
            return None
        done, self._pack = self._pack, None
        return done

    def failed(self, trouble: str) -> None:
        """What became of the request is unknown: the same again."""
        assert self.sending is not None
        self.sending.sent = False
        self.sending.attempt += 1
        self.sending.trouble = trouble

    def moved(self, checkpoint: Position) -> None:
        """The checkpoint was saved in the node's report of idle vchannels."""
        self._check(checkpoint)
        self.checkpoint = checkpoint

    def forget(self) -> None:
        """Give up what was not sent yet; what is on its way is awaited."""
        self._shares, self._pack = [], None
        if self.sending is not None and not self.sending.sent and not self.sending.attempt:
            self.sending = None

    def state(self, number: int) -> str:
        """How the report of a stored sync is, in words."""
        sending = self.sending
        if sending is None or sending.number != number:
            return "stored, its report waits for the one before"
        if sending.trouble:
            return f"report failed: {sending.trouble}"
        return "reported, not answered" if sending.sent else "its report is held"

    def _next_share(self, pack: SyncPack) -> None:
        share = self._shares.pop(0)
        segments = [self._segment(part, pack) for part in share]
        if self._shares:
            request = self._request(segments, None, CheckpointProposal(self.checkpoint))
        else:
            request = self._request(segments, _deletes(pack), self._proposal(pack.number))
        self.sending = Sending(request, pack.number)

    def _segment(self, part: SegmentSync, pack: SyncPack) -> SegmentReport:
        return SegmentReport(
            segment_id=part.segment_id,
            collection_id=pack.collection_id,
            partition_id=part.partition_id,
            version=part.version,
            files=(part.file,) if part.file else (),
            rows=part.rows,
            start=part.start,
            extends=part.extends,
            checkpoint=pack.position,
            flushed=part.sealed is not None,
        )

    def _request(
        self,
        segments: Sequence[SegmentReport],
        deletes: DeletesReport | None,
        proposal: CheckpointProposal,
    ) -> SaveBinlogPathsRequest:
        self._check(proposal.checkpoint)
        return SaveBinlogPathsRequest(
            server_id=self._server_id,
            vchannel=self._vchannel,
            epoch=self._epoch,
            segments=tuple(segments),
            deletes=deletes,
            channel_extends=self.checkpoint,
            channel_checkpoint=proposal.checkpoint,
            dropped=proposal.dropped,
            dropped_partitions=proposal.dropped_partitions,
        )

    def _check(self, checkpoint: Position) -> None:
        if checkpoint.timestamp < self.checkpoint.timestamp:
            violated("CP-1", f"{self.checkpoint} -> {checkpoint}")


def _deletes(pack: SyncPack) -> DeletesReport | None:
    part = pack.deletes
    if part is None or part.file is None:
        return None
    return DeletesReport(
        files=(part.file,), rows=part.deletes, extends=part.extends, checkpoint=pack.position
    )
