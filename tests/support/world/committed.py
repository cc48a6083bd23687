"""What a leading data service has committed, in memory: its decisions are those of production.

Reports and moves are judged by `dataservice.reports.decision`, watches are made by
`dataservice.placement.watches`; only the transaction's way to a meta store is left out, so that a
script or a run of chance can use it without an event loop.
"""

from collections.abc import Iterable
from dataclasses import replace

from headrace.dataservice.placement.watches import watch_of
from headrace.dataservice.reports.decision import (
    Already,
    Commit,
    decide,
    decide_move,
    with_revision,
)
from headrace.dataservice.state.channel_state import Stored, VChannelState
from headrace.meta.keys import Keys
from headrace.meta.records import CheckpointRecord, DdlRecord, EpochRecord, SegmentRecord
from headrace.model.channel import Position
from headrace.model.segment import SegmentState
from headrace.rpc.messages import (
    ReportOutcome,
    SaveBinlogPathsRequest,
    SaveCheckpointsRequest,
    Watch,
    WatchedSegment,
)


class Committed:
    """The vchannels of a cluster as its data service knows them."""

    def __init__(self) -> None:
        self.channels: dict[str, VChannelState] = {}
        self._keys = Keys()
        self._revision = 1

    def create(self, vchannel: str, start: Position) -> None:
        """What the master service writes: no epoch yet, the checkpoint at the start."""
        at = self._next()
        self.channels[vchannel] = VChannelState(
            vchannel=vchannel,
            revision=at,
            epoch=Stored(self._keys.epoch(vchannel), at, EpochRecord(epoch=0, server_id=0)),
            checkpoint=Stored(
                self._keys.checkpoint(vchannel), at, CheckpointRecord(position=start, start=start)
            ),
        )

    def adopt(self, watch: Watch, server_id: int) -> None:
        """What stands when this watch is of the newest epoch; segments without their files."""
        if watch.vchannel not in self.channels:
            self.create(watch.vchannel, watch.seek)
        channel, at = self.channels[watch.vchannel], self._next()
        if watch.epoch <= channel.epoch.value.epoch:
            return
        epoch = EpochRecord(epoch=watch.epoch, server_id=server_id)
        segments = {
            s.segment_id: Stored(
                self._keys.segment(watch.vchannel, s.segment_id), at, _record(watch, s)
            )
            for s in watch.segments
        }
        checkpoint = replace(channel.checkpoint.value, position=watch.seek)
        self._keep(
            replace(
                channel,
                revision=at,
                epoch=Stored(channel.epoch.key, at, epoch),
                checkpoint=Stored(channel.checkpoint.key, at, checkpoint),
                segments=segments,
            )
        )

    def assign(self, vchannel: str, server_id: int, node_name: str = "") -> None:
        """The next epoch, of this process. Not of a vchannel that was dropped."""
        channel, at = self.channels[vchannel], self._next()
        assert not channel.epoch.value.ended, f"{vchannel} is dropped: nobody gets it"
        record = EpochRecord(epoch=channel.epoch.value.epoch + 1, server_id=server_id)
        record = replace(record, node_name=node_name)
        self._keep(with_revision(_with_epoch(channel, record), {channel.epoch.key}, at))

    def watch(self, vchannel: str, ddls: Iterable[DdlRecord]) -> Watch:
        """The watch of the present epoch."""
        channel = self.channels[vchannel]
        return watch_of(channel, channel.epoch.value.epoch, ddls)

    def save(self, report: SaveBinlogPathsRequest) -> ReportOutcome:
        """The outcome of a report; raises what refuses it, as `decide` does."""
        decision = decide(report, self.channels[report.vchannel], self._keys)
        if isinstance(decision, Already):
            return decision.outcome
        assert isinstance(decision, Commit)
        self._keep(decision.settled(self._next()))
        return ReportOutcome.APPLIED

    def move(self, request: SaveCheckpointsRequest) -> tuple[str, ...]:
        """Move the checkpoints of idle vchannels; those that are left out."""
        left_out = []
        for move in request.moves:
            decision = decide_move(move, request.server_id, self.channels[move.vchannel])
            if decision is None:
                left_out.append(move.vchannel)
            elif not isinstance(decision, Already):
                put, after = decision
                self._keep(with_revision(after, {put.key}, self._next()))
        return tuple(left_out)

    def _keep(self, channel: VChannelState) -> None:
        self.channels[channel.vchannel] = channel

    def _next(self) -> int:
        self._revision += 1
        return self._revision


def _record(watch: Watch, segment: WatchedSegment) -> SegmentRecord:
    assert segment.start is not None and segment.checkpoint is not None
    return SegmentRecord(
        id=segment.segment_id,
        collection_id=watch.collection_id,
        partition_id=segment.partition_id,
        vchannel=watch.vchannel,
        version=segment.version,
        state=SegmentState(segment.state),
        rows=0,
        start=segment.start,
        checkpoint=segment.checkpoint,
        files=(),
    )


def _with_epoch(channel: VChannelState, record: EpochRecord) -> VChannelState:
    return replace(channel, epoch=Stored(channel.epoch.key, 0, record))
