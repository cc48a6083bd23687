"""The flowgraph of one vchannel: its six stages, assembled.

**Owns** how the stages are connected, the life of one assignment (starting, running, draining,
released or failed), and which entries hold the channel checkpoint. **Does not own** what a stage
does, the reading of the pchannel (`machine`), or I/O (`shell`).

    entries of a message -> consume.fresh -> dispatch.route -> growing.buffers -> growing.cut
        -> (EncodePack: pack.encode) -> persist.order -> (PutObjects)
        -> report.queue -> (SendReport)

It belongs to one epoch and never starts again. A stage that meets what cannot be raises `Corrupt`:
the machine then ends this flowgraph and no other.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum

from headrace.datanode import blocker
from headrace.datanode.consume.replay_filter import Fresh
from headrace.datanode.dispatch.route import Route
from headrace.datanode.dispatch.versions import Versions
from headrace.datanode.effects import EncodePack, Happening, PutObjects, SendReport, Tell
from headrace.datanode.growing import policy
from headrace.datanode.growing.buffers import Buffers
from headrace.datanode.growing.cut import Cutter
from headrace.datanode.handoff import (
    CheckpointProposal,
    CollectionDropped,
    DeletedKeys,
    Dispatched,
    EncodedPack,
    HeldMessage,
    PartitionDropped,
    Sealed,
    SegmentRows,
    StoredPack,
    VChannelEntry,
)
from headrace.datanode.persist.order import Order, Stage
from headrace.datanode.report import queue
from headrace.datanode.report.checkpoint import Holders, PendingDrop, proposal
from headrace.datanode.report.requests import Reporter, flushed_by
from headrace.datanode.shared import Shared
from headrace.model.channel import PChannel, VChannel
from headrace.model.errors import Corrupt
from headrace.model.ids import Epoch, MessageId
from headrace.model.position import Position
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import ChannelState, CheckpointMove, Watch


class Phase(StrEnum):
    """The life of an assignment."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    RELEASED = "released"
    FAILED = "failed"


ENDED = (Phase.RELEASED, Phase.FAILED)


class Flowgraph:
    """One vchannel under one epoch. `where` tells the position that its reader has reached."""

    def __init__(self, watch: Watch, shared: Shared, where: Callable[[], Position]) -> None:
        self.vchannel: VChannel = watch.vchannel
        self.pchannel: PChannel = watch.seek.pchannel
        self.epoch: Epoch = watch.epoch
        self.phase = Phase.STARTING
        self.reason = ""
        self.moving = False  # its checkpoint is in the node's report of idle vchannels
        self._shared = shared
        self._where = where
        self._dropped: Position | None = None
        self._drops: list[PendingDrop] = []
        self._left_out: Position | None = None
        versions = Versions(watch)
        self._fresh = Fresh(watch)
        self._route = Route(watch.collection_id, versions)
        self._buffers = Buffers(watch, shared.budget)
        self._cutter = Cutter(watch, versions.schema)
        self._order = Order()
        reporter = Reporter(
            server_id=shared.server_id,
            vchannel=watch.vchannel,
            epoch=watch.epoch,
            collection_id=watch.collection_id,
        )
        most = shared.settings.report_segments_most
        self._queue = queue.Queue(reporter, watch.seek, most, self._proposal)

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
    def consumed(self) -> Position:
        """All at or below it has been taken in."""
        return self._where()

    @property
    def checkpoint(self) -> Position:
        """The channel checkpoint as it was last confirmed."""
        return self._queue.checkpoint

    @property
    def buffers(self) -> Buffers:
        """Its third stage, for the node's choice under memory pressure."""
        return self._buffers

    @property
    def holds_bytes(self) -> bool:
        """Whether it has anything in memory that counts."""
        writing = any(s.stage is not Stage.STORED for s in self._order)
        return writing or not self._buffers.empty

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
    ) -> None:
        """The entries of one message, after the reader has moved over it. May raise `Corrupt`."""
        for what in self._route.of(self._fresh.of(message_id, entries, message)):
            self._do(what, now)
            if self._dropped is not None:
                break
        self.sync(policy.after_entries(self._buffers, self._shared.settings.sync_bytes), now)
        self.report()

    def _do(self, what: Dispatched, now: float) -> None:
        match what:
            case SegmentRows():
                self._buffers.add_rows(what, now)
            case DeletedKeys():
                self._buffers.add_deletes(what, now)
            case Sealed():
                self._buffers.seal(what)
            case PartitionDropped():
                forgotten = self._buffers.drop_partition(what)
                self._drops.append(PendingDrop(what.partition_id, what.position, forgotten))
            case CollectionDropped():
                self._drop(what.position)

    def _drop(self, position: Position) -> None:
        """The vchannel ends: what was not reported is forgotten, the drop is reported."""
        self._dropped = position
        self._buffers.forget()
        self._give_up_syncs()
        self._queue.forget()

    # ---- syncs -------------------------------------------------------------------------------

    def sync(self, due: policy.Due, now: float) -> None:
        """Cut what is due, if stored and unreported bytes leave room. May raise `Corrupt`."""
        if not due or not self._shared.budget.may_store:
            return
        pack = self._cutter.cut(self._buffers, due, self.consumed, now)
        self._order.begin(pack.head)
        if pack.head.has_files:
            key = self._key(pack.head.number)
            self._shared.budget.cut(key, pack.messages, pack.size_bytes)
            self._shared.orders.append(EncodePack(pack))
        else:
            self.report()

    def sync_overdue(self, now: float) -> None:
        """Cut what has waited too long, and what could not be cut when it was due."""
        settings = self._shared.settings
        due = policy.overdue(self._buffers, now, settings.sync_age_s, settings.sync_bytes)
        if self.phase is Phase.DRAINING:
            due = policy.everything(self._buffers)
        self.sync(due, now)

    def sync_up_to(self, timestamp: Timestamp, now: float) -> None:
        """Somebody waits: cut what holds the checkpoint below, once all up to there is read."""
        if self.consumed.passed(timestamp):
            self.sync(policy.at_or_below(self._buffers, timestamp), now)

    def encoded(self, encoded: EncodedPack) -> None:
        """A sync's files are made."""
        key = self._key(encoded.number)
        if encoded.number not in self._order:
            self._shared.budget.written(key)
            return
        sync = self._order.encoded(encoded)
        self._shared.budget.encoded(key, sync.size_bytes, encoded.view_bytes)
        self._put(encoded.number)
        self.report()

    def put_failed(self, number: int, stored: frozenset[str], reason: str) -> int:
        """Not all objects are known to stand: again. How often it has failed by now."""
        if number not in self._order:
            self._shared.budget.written(self._key(number))
            return 0
        sync = self._order.failed(number, stored, reason)
        self._put(number)
        return sync.attempt

    def stored(self, number: int) -> None:
        """All objects of a sync stand."""
        self._shared.budget.written(self._key(number))
        if number in self._order:
            sync = self._order.stored(number)
            self._shared.budget.unreported_bytes += sync.size_bytes
            self.report()

    def _put(self, number: int) -> None:
        sync = self._order.get(number)
        self._shared.orders.append(
            PutObjects(self.vchannel, self.epoch, number, sync.left, sync.attempt)
        )

    def _key(self, number: int) -> tuple[VChannel, Epoch, int]:
        return self.vchannel, self.epoch, number

    # ---- reports -----------------------------------------------------------------------------

    def report(self) -> None:
        """Send the next report, if one is to be sent and none is on its way."""
        if self.ended or self.moving:
            return
        if self._queue.idle:
            self._begin_report()
        sending = self._queue.sending
        if sending is not None and not sending.sent and self._shared.registered:
            sending.sent = True
            self._shared.orders.append(
                SendReport(sending.request, sending.attempt, self._queue.part)
            )

    def _begin_report(self) -> None:
        # First, for it may stand: whatever extends the checkpoint below it would meet a Conflict.
        if self._left_out is not None:
            self._queue.move(CheckpointProposal(self._left_out))
            return
        if self._dropped is not None:
            self._queue.move(CheckpointProposal(self._dropped, dropped=True))
            return
        stored = self._order.next()
        if stored is not None:
            self._queue.begin(stored)
            return
        at_rest = self.phase is Phase.DRAINING and self._buffers.empty and not len(self._order)
        if self._drops or at_rest:
            proposed = self._proposal(0)
            further = proposed.checkpoint.timestamp > self.checkpoint.timestamp
            if proposed.dropped_partitions or (at_rest and further):
                self._queue.move(proposed)
            elif at_rest:
                self.end(Phase.RELEASED, "released")

    def answered(self, outcome: str) -> None:
        """The report on its way is answered. `Corrupt` when that is no answer."""
        assert self._queue.sending is not None
        if not queue.is_settled(outcome):
            raise Corrupt(f"a report was answered {outcome!r}", channel=self.vchannel)
        request = self._queue.sending.request
        done = self._queue.answered()
        if done is not None:
            self._reported(done)
        passed = request.dropped_partitions
        self._drops = [d for d in self._drops if d.partition_id not in passed]
        if self._left_out is not None and request.channel_checkpoint == self._left_out:
            self._left_out = None
        if request.dropped:
            self.end(Phase.RELEASED, "dropped")
        self.report()

    def _reported(self, done: StoredPack) -> None:
        sync = self._order.reported(done.head.number)
        if sync.stage is Stage.STORED:
            self._shared.budget.unreported_bytes -= sync.size_bytes
        flushed = flushed_by(done)
        for segment_id in flushed:
            self._buffers.flushed(segment_id)
        segments = done.head.segments
        self._shared.orders.append(
            Tell(
                Happening.SYNC_REPORTED,
                self.vchannel,
                self.epoch,
                segments=tuple(p.segment_id for p in segments),
                rows=sum(p.rows for p in segments),
                flushed=flushed,
            )
        )

    def unanswered(self, reason: str) -> None:
        """Nobody knows what became of the report: the same again."""
        self._queue.failed(reason)
        self.report()

    def _proposal(self, number: int) -> CheckpointProposal:
        """Where the checkpoint may stand once the sync of that number (0 = none) is reported."""
        flushed: set[int] = set()
        rows, deletes = list(self._buffers.first_rows()), list(self._buffers.first_deletes())
        for sync in self._order:
            if sync.head.number == number:
                flushed = {p.segment_id for p in sync.head.segments if p.flush}
                continue
            rows += [sync.head.first_rows] if sync.head.first_rows else []
            deletes += [sync.head.first_deletes] if sync.head.first_deletes else []
        seals = [p for i, p in self._buffers.unflushed_seals() if i not in flushed]
        holders = Holders(tuple(rows), tuple(deletes), tuple(seals), tuple(self._drops))
        return proposal(self.consumed, holders)

    # ---- the node's report of idle vchannels -------------------------------------------------

    def move(self) -> CheckpointMove | None:
        """The checkpoint alone may move: how; None when it may not or something else is under
        way. Whoever reports the move sets `moving`."""
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

    def moved(self, checkpoint: Position, left_out: bool) -> None:
        """The node's report is answered: saved, or left out and to be sent alone."""
        self.moving = False
        if left_out:
            self._left_out = checkpoint
        else:
            self._queue.moved(checkpoint)
        self.report()

    # ---- the end -----------------------------------------------------------------------------

    def stop_reading(self) -> None:
        """Its position is fixed from now on."""
        position = self.consumed
        self._where = lambda: position

    def drain(self, now: float) -> None:
        """Store and report what was read, then release. May raise `Corrupt`."""
        self.phase = Phase.DRAINING
        self.sync(policy.everything(self._buffers), now)
        self.report()

    def end(self, phase: Phase, reason: str) -> None:
        """End this epoch: what is in memory is given up, results still to come are ignored."""
        self.phase, self.reason = phase, reason
        self._buffers.forget()
        self._give_up_syncs()

    def _give_up_syncs(self) -> None:
        for sync in self._order.forget():
            if sync.stage is Stage.STORED:
                self._shared.budget.unreported_bytes -= sync.size_bytes

    # ---- what it says of itself --------------------------------------------------------------

    def state(self, now: float) -> ChannelState:
        """For the data service and for people."""
        held = "" if self.ended else blocker.words(self._buffers, self._order, self._queue, now)
        return ChannelState(
            vchannel=self.vchannel,
            epoch=self.epoch,
            state=str(self.phase),
            consumed=self.consumed,
            checkpoint=self.checkpoint,
            buffered_bytes=self._buffers.size_bytes,
            blocker=held,
            reason=self.reason if self.phase is Phase.FAILED else "",
        )

    def validate(self) -> None:
        """Assert CP-2 as far as one flowgraph sees it, and that ended means empty."""
        assert not self.ended or (self._buffers.empty and not len(self._order)), self.vchannel
        if not self.ended and self._dropped is None:
            below = self._proposal(0).checkpoint
            assert below.timestamp >= self.checkpoint.timestamp, (below, self.checkpoint)
