"""One vchannel: its records, what its holder reports, what is under way for it."""

from dataclasses import dataclass

from headrace.dataservice.events import CheckpointSeen, EpochSeen
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.records import CheckpointRecord, EpochRecord
from headrace.model.channel import PChannel, VChannel
from headrace.model.ids import CollectionId, Revision, ServerId
from headrace.model.invariants import violated
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import ChannelState, FlowgraphState

ENDED = (FlowgraphState.RELEASED, FlowgraphState.FAILED)
NEVER = float("-inf")


@dataclass(slots=True)
class Channel:
    """One vchannel. Times are monotonic seconds."""

    vchannel: VChannel
    pchannel: PChannel
    collection_id: CollectionId
    epoch: EpochRecord | None = None
    epoch_revision: Revision = 0
    checkpoint: CheckpointRecord | None = None
    checkpoint_revision: Revision = 0
    target: str | None = None  # the node that should have it
    reported: ChannelState | None = None  # by the holder, of the present epoch
    unwatched: bool = False  # the holder does not know of the present epoch
    alone: bool = False  # its watch is sent by itself: it was refused together with others
    lost: bool = False  # the present epoch has ended: it needs the next one
    writing: bool = False  # an epoch is being written
    write_at: float = NEVER  # not before
    sending: bool = False  # a watch is on its way
    send_at: float = NEVER  # not before
    unsent: int = 0  # watches in a row that could not be made or sent
    releasing: bool = False  # a release is on its way
    released: bool = False  # its holder was told to release it
    release_at: float = NEVER  # not before, after an order that was not taken
    drained_by: float | None = None  # a planned move takes it then at the latest
    changed_at: float = NEVER  # its watch or epoch: answers asked for earlier do not count
    moved_at: float = NEVER
    failures: int = 0
    failed_at: float = NEVER
    retry_at: float = NEVER
    trouble: str = ""
    awaited: Timestamp = 0
    hinted: bool = False

    @property
    def timestamp(self) -> Timestamp:
        """Of the channel checkpoint, 0 when it is not known."""
        return self.checkpoint.position.timestamp if self.checkpoint else 0

    @property
    def dropped(self) -> bool:
        return bool(self.checkpoint and self.checkpoint.dropped)

    @property
    def wanted(self) -> bool:
        """Whether a node should watch it: both records are known, and it is not dropped."""
        there = self.epoch is not None and self.checkpoint is not None
        return there and not self.dropped and not (self.epoch and self.epoch.ended)

    @property
    def holder(self) -> ServerId:
        """The process that the present epoch names, 0 = none."""
        return self.epoch.server_id if self.epoch else 0

    def see_epoch(self, seen: EpochSeen, now: float) -> bool:
        """A record of the epoch; whether it is news. What is older than known is ignored."""
        if seen.revision < self.epoch_revision:
            return False
        known = self.epoch
        if known and seen.record and seen.record.epoch < known.epoch:
            violated("CH-1", f"{self.vchannel}: {known} -> {seen.record}")
        self.epoch, self.epoch_revision = seen.record, seen.revision
        if seen.record == known:
            return False
        self.reported, self.drained_by = None, None
        # What is still under way concerns the epoch before; its end is told by its number.
        self.lost = self.alone = self.unwatched = self.hinted = False
        self.sending = self.releasing = self.released = False
        self.unsent, self.send_at = 0, NEVER
        self.changed_at = now
        return True

    def see_checkpoint(self, seen: CheckpointSeen) -> bool:
        """A record of the channel checkpoint; whether it is news."""
        if seen.revision <= self.checkpoint_revision:
            return False
        known = self.checkpoint
        if known and seen.record and seen.record.position.timestamp < known.position.timestamp:
            violated("CP-1", f"{self.vchannel}: {known.position} -> {seen.record.position}")
        self.checkpoint, self.checkpoint_revision = seen.record, seen.revision
        return True

    def see_state(self, state: ChannelState | None, asked_at: float) -> bool:
        """What the holder says of the present epoch (None = nothing); whether it says, for the
        first time, that it has ended."""
        if self.sending or self.changed_at > asked_at:
            return False  # asked before the watch was accepted: this answer proves nothing
        self.reported = state
        self.unwatched = state is None and not self.lost
        return state is not None and state.state in ENDED and not self.lost

    def give_back(self) -> None:
        """The flowgraph of the present epoch has ended as it was told to."""
        self.lost, self.unwatched = True, False

    def not_sent(self, now: float, settings: DataServiceSettings) -> None:
        """Its watch could not be made, or the outcome is not known: again, each time later."""
        self.sending, self.changed_at = False, now
        self.unsent += 1
        self.send_at = now + settings.pauses.after(self.unsent)

    def lose(self, reason: str, now: float, settings: DataServiceSettings) -> None:
        """The flowgraph of the present epoch has ended; the next one may start at `retry_at`."""
        self.lost, self.unwatched = True, False
        recent = now - self.failed_at <= 2 * settings.epoch_retry_most_s
        self.failures = self.failures + 1 if recent else 1
        self.failed_at, self.trouble = now, reason
        # The first failure is answered at once; what fails again and again must not spin.
        self.retry_at = now + settings.epoch_pauses.after(self.failures - 1)
