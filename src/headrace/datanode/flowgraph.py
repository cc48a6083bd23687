"""The flowgraph of one vchannel under one epoch: its stages, connected.

    entries of a message -> consume.replay_filter -> dispatch.route -> growing.buffers
        -> growing.cut -> (EncodePack) -> persist.order -> (PutObjects)
        -> report.queue -> (SendReport)

It is starting, running, draining, and then released or failed; it never starts again. A method that
meets what cannot be raises `Corrupt` before it orders anything: the machine then ends this
flowgraph and no other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.datanode.budget import Budget
from headrace.datanode.consume.demux import Consumer
from headrace.datanode.consume.replay_filter import ReplayFilter
from headrace.datanode.dispatch.route import Route
from headrace.datanode.dispatch.versions import SchemaVersions
from headrace.datanode.effects import (
    Effect,
    EncodePack,
    FlowgraphNotice,
    PutObjects,
    SendReport,
    Tell,
)
from headrace.datanode.growing import policy
from headrace.datanode.growing.buffers import Buffers
from headrace.datanode.growing.cut import Cutter
from headrace.datanode.handoff import (
    CheckpointProposal,
    CollectionDropped,
    DeletedKeys,
    Dispatched,
    HeldMessage,
    PartitionDropped,
    RowSlice,
    Sealed,
    Stage,
    SyncPack,
    VChannelEntry,
)
from headrace.datanode.persist.order import Order
from headrace.datanode.report.checkpoint import PendingDrop, proposal
from headrace.datanode.report.queue import ANSWERS, ReportQueue
from headrace.datanode.settings import DataNodeSettings
from headrace.model.channel import Position, VChannel
from headrace.model.errors import Corrupt
from headrace.model.ids import Epoch, MessageId, SegmentId, ServerId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import ChannelState, CheckpointMove, FlowgraphState, Watch

Phase = FlowgraphState
ENDED = (Phase.RELEASED, Phase.FAILED)


@dataclass(slots=True)
class Shared:
    """What the flowgraphs of one node share. While the node is not registered, nothing is reported
    and buffers stay."""

    settings: DataNodeSettings
    budget: Budget
    server_id: ServerId = 0
    registered: bool = False


class Flowgraph:
    """One vchannel under one epoch. `consumer` is its place in the pchannel."""

    def __init__(self, watch: Watch, shared: Shared, consumer: Consumer) -> None:
        self.vchannel: VChannel = watch.vchannel
        self.epoch: Epoch = watch.epoch
        self.consumer = consumer
        self.phase = Phase.STARTING
        self.reason = ""
        self.moving = False  # its checkpoint is in the node's report of idle vchannels
        self._shared = shared
        self._dropped: Position | None = None
        self._drops: list[PendingDrop] = []
        self._left_out: Position | None = None
        versions = SchemaVersions(watch)
        self._filter = ReplayFilter(watch)
        self._route = Route(watch.seek.pchannel, watch.collection_id, versions)
        self.buffers = Buffers(watch, shared.budget)
        self._cutter = Cutter(watch, versions.schema)
        self._order = Order()
        most = shared.settings.report_segments_most
        self._queue = ReportQueue(watch, shared.server_id, most, self._proposal)

    # ---- what the machine asks ---------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Nothing is done any more under this epoch."""
        return self.phase in ENDED

    @property
    def reads(self) -> bool:
        """Whether it takes entries."""
        return self.phase in (Phase.STARTING, Phase.RUNNING) and self._dropped is None

    @property
    def dropped(self) -> bool:
        """Whether it has ended because its collection was dropped."""
        return self.ended and self._dropped is not None and self.checkpoint == self._dropped

    @property
    def checkpoint(self) -> Position:
        """The channel checkpoint as it was last confirmed."""
        return self._queue.checkpoint

    @property
    def holds_bytes(self) -> bool:
        """Whether it has anything in memory that counts."""
        return not self.buffers.empty or any(s.stage is not Stage.STORED for s in self._order)

    def awaits(self, number: int) -> bool:
        """Whether a sync is still wanted: a drop gives all up."""
        return number in self._order

    # ---- entries -----------------------------------------------------------------------------

    def take(
        self,
        message_id: MessageId,
        entries: Iterable[VChannelEntry],
        message: HeldMessage,
        now: float,
    ) -> list[Effect]:
        """The entries of one message, after the reader has moved over it. May raise `Corrupt`."""
        for what in self._route.of(message_id, self._filter.new(entries), message):
            self._do(what, now)
            if self._dropped is not None:
                break
        due = policy.after_entries(self.buffers, self._shared.settings.sync_bytes)
        return [*self.sync(due, now), *self.report()]

    def _do(self, what: Dispatched, now: float) -> None:
        match what:
            case RowSlice():
                self.buffers.add_rows(what, now)
            case DeletedKeys():
                self.buffers.add_deletes(what, now)
            case Sealed():
                self.buffers.seal(what)
            case PartitionDropped():
                forgotten = self.buffers.drop_partition(what)
                self._drops.append(PendingDrop(what.partition_id, what.position, forgotten))
            case CollectionDropped():
                # What was not reported is forgotten, the drop is reported.
                self._dropped = what.position
                self._forget()
                self._queue.forget()

    # ---- syncs -------------------------------------------------------------------------------

    def sync(self, due: policy.Due, now: float) -> list[Effect]:
        """Cut what is due, if stored and unreported bytes leave room. May raise `Corrupt`."""
        if not due or not self._shared.budget.may_store:
            return []
        pack = self._cutter.cut(self.buffers, due, self.consumer.consumed, now)
        self._order.begin(pack)
        if pack.stage is Stage.STORED:
            return self.report()
        self._shared.budget.cut(pack.key, tuple(pack.messages), pack.size_bytes)
        return [EncodePack(pack)]

    def sync_overdue(self, now: float) -> list[Effect]:
        """Cut what has waited too long, and what could not be cut when it was due."""
        settings = self._shared.settings
        due = policy.overdue(self.buffers, now, settings.sync_age_s, settings.sync_bytes)
        if self.phase is Phase.DRAINING:
            due = policy.everything(self.buffers)
        return self.sync(due, now)

    def sync_up_to(self, timestamp: Timestamp, now: float) -> list[Effect]:
        """A caller waits: cut what holds the checkpoint below, once all up to there is read."""
        if not self.consumer.consumed.passed(timestamp):
            return []
        return self.sync(policy.at_or_below(self.buffers, timestamp), now)

    def encoded(self, pack: SyncPack) -> list[Effect]:
        """The files of a sync that is awaited are made."""
        self._order.encoded(pack)
        view_bytes = sum(o.view_bytes for o in pack.left)
        self._shared.budget.encoded(pack.key, pack.size_bytes, view_bytes)
        return [PutObjects(pack), *self.report()]

    def put_failed(self, number: int, stored: frozenset[str], reason: str) -> list[Effect]:
        """Not all objects of a sync are known to stand: put those again."""
        pack = self._order.failed(number, stored, reason)
        told = [self._tell(FlowgraphNotice.PUT_FAILED, reason)] if pack.attempt == 1 else []
        return [PutObjects(pack), *told]

    def stored(self, number: int) -> list[Effect]:
        """All objects of a sync stand."""
        pack = self._order.stored(number)
        self._shared.budget.written(pack.key)
        self._shared.budget.unreported_bytes += pack.size_bytes
        return self.report()

    # ---- reports -----------------------------------------------------------------------------

    def report(self) -> list[Effect]:
        """Send the next report, if one is to be sent and none is on its way."""
        if self.ended or self.moving:
            return []
        if self._queue.idle:
            self._begin_report()
        sending = self._queue.sending
        if sending is None or sending.sent or not self._shared.registered:
            return []
        sending.sent = True
        return [SendReport(sending.request, sending.attempt, self._queue.part)]

    def _begin_report(self) -> None:
        # First, for it may stand: whatever extends the checkpoint below it would meet a Conflict.
        if self._left_out is not None:
            self._queue.move(CheckpointProposal(self._left_out))
            return
        if self._dropped is not None:
            self._queue.move(CheckpointProposal(self._dropped, dropped=True))
            return
        pack = self._order.next()
        if pack is not None:
            self._queue.begin(pack)
            return
        at_rest = self.phase is Phase.DRAINING and self.buffers.empty and not len(self._order)
        if self._drops or at_rest:
            proposed = self._proposal(0)
            further = proposed.checkpoint.timestamp > self.checkpoint.timestamp
            if proposed.dropped_partitions or (at_rest and further):
                self._queue.move(proposed)
            elif at_rest:
                self.end(Phase.RELEASED, "released")

    def answered(self, outcome: str) -> list[Effect]:
        """The report on its way is answered. `Corrupt` when that is no answer."""
        assert self._queue.sending is not None
        if outcome not in ANSWERS:
            raise Corrupt(f"a report was answered {outcome!r}", channel=self.vchannel)
        request = self._queue.sending.request
        done = self._queue.answered()
        told = [self._reported(done)] if done is not None else []
        passed = request.dropped_partitions
        self._drops = [d for d in self._drops if d.partition_id not in passed]
        if self._left_out is not None and request.channel_checkpoint == self._left_out:
            self._left_out = None
        if request.dropped:
            self.end(Phase.RELEASED, "dropped")
        return [*told, *self.report()]

    def _reported(self, pack: SyncPack) -> Tell:
        self._order.reported(pack.number)
        self._shared.budget.unreported_bytes -= pack.size_bytes
        for segment_id in pack.flushed:
            self.buffers.flushed(segment_id)
        return Tell(
            FlowgraphNotice.SYNC_REPORTED,
            self.vchannel,
            self.epoch,
            segments=tuple(p.segment_id for p in pack.segments),
            rows=sum(p.rows for p in pack.segments),
            flushed=pack.flushed,
        )

    def unanswered(self, reason: str) -> list[Effect]:
        """What became of the report is unknown: the same again."""
        self._queue.failed(reason)
        return self.report()

    def announced(self, segment_ids: Iterable[SegmentId]) -> None:
        """The data service says that segments are flushed for good."""
        self._filter.let_go(segment_ids, self.consumer.consumed)

    def _proposal(self, number: int) -> CheckpointProposal:
        """Where the checkpoint may stand once the sync of that number (0 = none) is reported."""
        holders = [*self.buffers.holders(), *self._order.holders(number)]
        return proposal(self.consumer.consumed, holders, self._drops)

    # ---- the node's report of idle vchannels -------------------------------------------------

    def move(self) -> CheckpointMove | None:
        """The checkpoint alone may move: how; None when it may not or something else is under
        way. The machine sets `moving` when it reports the move."""
        busy = self.moving or not self._queue.idle or len(self._order) or self._drops
        if busy or self._left_out is not None or not self.reads:
            return None
        proposed = self._proposal(0).checkpoint
        if proposed.timestamp <= self.checkpoint.timestamp:
            return None
        return CheckpointMove(
            vchannel=self.vchannel,
            epoch=self.epoch,
            extends=self.checkpoint,
            checkpoint=proposed,
        )

    def moved(self, checkpoint: Position, left_out: bool) -> list[Effect]:
        """The node's report is answered: saved, or left out and to be sent alone."""
        self.moving = False
        if left_out:
            self._left_out = checkpoint
        else:
            self._queue.moved(checkpoint)
        return self.report()

    # ---- the end -----------------------------------------------------------------------------

    def drain(self, now: float) -> list[Effect]:
        """Store and report what was read, then release. May raise `Corrupt`."""
        self.phase = Phase.DRAINING
        return [*self.sync(policy.everything(self.buffers), now), *self.report()]

    def end(self, phase: Phase, reason: str) -> None:
        """End this epoch: what is in memory is given up, results still to come are ignored."""
        self.phase, self.reason = phase, reason
        self._forget()

    def _forget(self) -> None:
        self.buffers.forget()
        for pack in self._order.forget():
            if pack.stage is Stage.STORED:
                self._shared.budget.unreported_bytes -= pack.size_bytes

    # ---- what it says of itself --------------------------------------------------------------

    def _tell(self, happening: FlowgraphNotice, reason: str) -> Tell:
        return Tell(happening, self.vchannel, self.epoch, reason)

    def state(self, now: float) -> ChannelState:
        """For the data service and for people."""
        return ChannelState(
            vchannel=self.vchannel,
            epoch=self.epoch,
            state=self.phase,
            consumed=self.consumer.consumed,
            checkpoint=self.checkpoint,
            buffered_bytes=self.buffers.size_bytes,
            blocker="" if self.ended else self._blocker(now),
            reason=self.reason if self.phase is Phase.FAILED else "",
        )

    def _blocker(self, now: float) -> str:
        """The first entry that is not wholly stored and reported, and where it is; "" = none."""
        queue = self._queue
        held = [*self.buffers.blockers(now), *self._order.blockers(now, queue.state)]
        if held:
            return min(held, key=lambda h: h[0])[1]
        trouble = queue.sending.trouble if queue.sending else ""
        return f"report failed: {trouble}" if trouble else ""

    def validate(self) -> None:
        """Assert CP-2 as far as one flowgraph sees it, and that ended means empty."""
        assert not self.ended or (self.buffers.empty and not len(self._order)), self.vchannel
        if not self.ended and self._dropped is None:
            below = self._proposal(0).checkpoint
            assert below.timestamp >= self.checkpoint.timestamp, (below, self.checkpoint)
