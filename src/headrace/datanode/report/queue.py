"""The reports of one vchannel: one at a time, in order, repeated until they are answered.

**Owns** the request that is on its way, what is left of the sync it belongs to, and the channel
checkpoint as the data service last confirmed it. **Does not own** the way there (`shell`) or where
the checkpoint may stand (`checkpoint`).

A request that is repeated is the same in every byte: an answer may be lost after the transaction,
and only the same request can then be answered "done".
"""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.datanode.handoff import CheckpointProposal, SegmentPart, StoredPack
from headrace.datanode.report.requests import Reporter, split
from headrace.model.invariants import violated
from headrace.model.position import Position
from headrace.rpc.messages import SaveBinlogPathsRequest

ANSWERS = ("applied", "done", "forgotten")


def is_settled(outcome: str) -> bool:
    """Present = new is done: an answer that was lost is no conflict, a dropped segment neither."""
    return outcome in ANSWERS


@dataclass(slots=True)
class Sending:
    """A request that is on its way, or waits to be sent. `number` is the sync's, 0 = none."""

    request: SaveBinlogPathsRequest
    number: int
    sent: bool = False
    attempt: int = 0
    trouble: str = ""


class Queue:
    """The reports of one flowgraph. `proposal` says where the checkpoint may stand, given the
    number of a sync that is reported with it (0 = none)."""

    def __init__(
        self,
        reporter: Reporter,
        checkpoint: Position,
        most: int,
        proposal: Callable[[int], CheckpointProposal],
    ) -> None:
        self._reporter = reporter
        self._most = most
        self._proposal = proposal
        self._shares: list[tuple[SegmentPart, ...]] = []
        self._stored: StoredPack | None = None
        self.checkpoint = checkpoint
        self.sending: Sending | None = None
        self.part = 0  # of the sync that is being reported: transactions answered

    @property
    def idle(self) -> bool:
        """Nothing is on its way and nothing is left of a sync."""
        return self.sending is None and self._stored is None

    def begin(self, stored: StoredPack) -> None:
        """Report a sync: the first of its requests is ready to be sent."""
        assert self.idle
        self._stored = stored
        self._shares = split(stored.head.segments, self._most)
        self.part = 0
        self._next_share()

    def move(self, proposal: CheckpointProposal) -> None:
        """Report the channel checkpoint alone (and the drops that it passes)."""
        assert self.idle
        self._check(proposal.checkpoint)
        self.sending = Sending(self._reporter.alone(self.checkpoint, proposal), 0)

    def answered(self) -> StoredPack | None:
        """The request on its way stands. The sync that is thereby wholly reported, if one is."""
        assert self.sending is not None
        self.checkpoint = self.sending.request.channel_checkpoint
        self.sending = None
        if self._stored is None:
            return None
        self.part += 1
        if self._shares:
            self._next_share()
            return None
        done, self._stored = self._stored, None
        return done

    def failed(self, trouble: str) -> None:
        """Nobody knows what became of the request: the same again."""
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
        self._shares, self._stored = [], None
        if self.sending is not None and not self.sending.sent and not self.sending.attempt:
            self.sending = None

    def _next_share(self) -> None:
        assert self._stored is not None
        share = self._shares.pop(0)
        reports = [self._reporter.segment(p, self._stored) for p in share]
        if self._shares:
            proposal = CheckpointProposal(self.checkpoint)
            deletes = None
        else:
            proposal = self._proposal(self._stored.head.number)
            deletes = self._reporter.deletes(self._stored)
        self._check(proposal.checkpoint)
        request = self._reporter.request(reports, deletes, self.checkpoint, proposal)
        self.sending = Sending(request, self._stored.head.number)

    def _check(self, checkpoint: Position) -> None:
        if checkpoint.timestamp < self.checkpoint.timestamp:
            violated("CP-1", f"{self.checkpoint} -> {checkpoint}")
