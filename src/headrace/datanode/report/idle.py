"""Reports the checkpoints of vchannels to which nothing happens, all of the node in one request.

Each is reported at most once a minute, unless a caller waits for it. A report is repeated as it is
until it is answered; a vchannel in it sends nothing else meanwhile. What the data service leaves
out is sent again alone, so that its own answer tells why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.model.channel import VChannel
from headrace.model.ids import Epoch, ServerId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import CheckpointMove, SaveCheckpointsRequest


@dataclass(slots=True)
class Moving:
    """The report that is on its way, or waits to be sent again."""

    request: SaveCheckpointsRequest
    sent: bool = False
    attempt: int = 0


class IdleReports:
    """The node's reports of checkpoints alone."""

    def __init__(self, period_s: float, most: int) -> None:
        self._period_s = period_s
        self._most = most
        self._next_round_s = 0.0
        self.moving: Moving | None = None
        self.awaited: dict[VChannel, Timestamp] = {}
        self.due: dict[VChannel, None] = {}  # to be looked at in this round

    def begin_round(self, vchannels: Iterable[VChannel], now: float) -> None:
        """Once a period all vchannels are due."""
        if now >= self._next_round_s:
            self._next_round_s = now + self._period_s
            self.due.update(dict.fromkeys(vchannels))

    def await_timestamp(self, vchannel: VChannel, timestamp: Timestamp) -> None:
        """A caller waits until the checkpoint of this vchannel has passed a timestamp."""
        self.awaited[vchannel] = max(timestamp, self.awaited.get(vchannel, 0))

    def settled(self, vchannel: VChannel, checkpoint: Timestamp) -> bool:
        """Whether a confirmed checkpoint is what was waited for; then the wait is over."""
        if self.awaited.get(vchannel, 0) > checkpoint:
            return False
        self.awaited.pop(vchannel, None)
        return True

    def candidates(self, awaited: Iterable[VChannel]) -> list[tuple[VChannel, bool]]:
        """Whose checkpoints to look at now, at most as many as one report takes: those that
        are awaited, then those that are due (True)."""
        chosen = list(dict.fromkeys((*awaited, *self.due)))[: self._most]
        return [(v, self.due.pop(v, self) is None) for v in chosen]

    def begin(self, server_id: ServerId, moves: Sequence[CheckpointMove]) -> None:
        """Report these moves, if there are any."""
        assert self.moving is None
        if moves:
            self.moving = Moving(SaveCheckpointsRequest(server_id, tuple(moves)))

    def failed(self) -> None:
        """What became of the report is unknown: the same again."""
        assert self.moving is not None
        self.moving.sent = False
        self.moving.attempt += 1

    def answered(self) -> tuple[CheckpointMove, ...]:
        """The report is answered; its moves."""
        assert self.moving is not None
        moves = self.moving.request.moves
        self.moving = None
        return moves

    def holds(self, vchannel: VChannel, epoch: Epoch) -> bool:
        """Whether a move of this flowgraph is on its way."""
        return self.moving is not None and any(
            m.vchannel == vchannel and m.epoch == epoch for m in self.moving.request.moves
        )
