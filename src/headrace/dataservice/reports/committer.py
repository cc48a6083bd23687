"""The committer: carries commits to the meta store and finds out what became of them.

After an unknown outcome it reads what was compared and decides anew: if the report stands, it is
done. An attempt that lands late meets comparisons that no longer hold. A kept channel state may be
stale: then it is read again, and only a fresh one refuses a report.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from headrace.dataservice.reports.decision import (
    Already,
    Commit,
    decide,
    decide_move,
    with_revision,
)
from headrace.dataservice.state.channel_state import VChannelState, read_channel
from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import MAX_OPERATIONS, ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.model.channel import VChannel
from headrace.model.errors import Fenced, HeadraceError, NotFound, Unavailable
from headrace.rpc.messages import CheckpointMove, ReportOutcome, SaveBinlogPathsRequest
from headrace.runtime.host import Clock

_CHANNELS_MOST = 10_000
_ATTEMPTS = 8
_MOVES_AT_ONCE = (MAX_OPERATIONS - 1) // 2  # each compares two keys


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a report, and the vchannel after it."""

    outcome: ReportOutcome
    channel: VChannelState


class Committer:
    """Commits of one leadership; every transaction compares the leader key."""

    def __init__(
        self, meta: LeaderStore, keys: Keys, clock: Clock, *, timeout_s: float, retry_s: float
    ) -> None:
        self._meta = meta
        self._keys = keys
        self._clock = clock
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._channels: OrderedDict[VChannel, VChannelState] = OrderedDict()
        self.conflicts = 0  # transactions that met something newer

    def forget(self, vchannel: VChannel) -> None:
        """Something else wrote to this vchannel: read it anew next time."""
        self._channels.pop(vchannel, None)

    async def save(self, report: SaveBinlogPathsRequest) -> Saved:
        """Commit a report; `Fenced`, `Conflict`, `Invalid` as `decision.decide` says.

        `Unavailable` when the outcome stays unknown for `timeout_s`: the asker repeats it.
        `NotLeading` when this process no longer leads.
        """
        deadline = self._clock.monotonic() + self._timeout_s
        channel = self._channels.get(report.vchannel)
        fresh = channel is None
        if channel is None:
            channel = await self._read(report.vchannel, deadline)
        for _ in range(_ATTEMPTS):
            try:
                decision = decide(report, channel, self._keys)
            except HeadraceError:
                if fresh:
                    raise
                decision = None
            if isinstance(decision, Already) and fresh:
                return Saved(decision.outcome, channel)
            if isinstance(decision, Commit):
                after = await self._attempt(decision)
                if after is not None:
                    self._keep(after)
                    return Saved(ReportOutcome.APPLIED, after)
            channel, fresh = await self._read(report.vchannel, deadline), True
        raise Unavailable(f"{report.vchannel} changes faster than a report can be committed")

    async def save_moves(
        self, server_id: int, moves: Sequence[CheckpointMove]
    ) -> tuple[tuple[VChannelState, ...], tuple[VChannel, ...]]:
        """Move the checkpoints of idle vchannels: those that stand now, and those left out."""
        done: list[VChannelState] = []
        left_out: list[VChannel] = []
        distinct = {m.vchannel: m for m in moves}
        ordered = [distinct[v] for v in sorted(distinct)]
        for start in range(0, len(ordered), _MOVES_AT_ONCE):
            group = ordered[start : start + _MOVES_AT_ONCE]
            channels, missed = await self._save_group(server_id, group, fresh=False)
            done += channels
            if missed:
                channels, missed = await self._save_group(server_id, missed, fresh=True)
                done += channels
            left_out += [m.vchannel for m in missed]
        return tuple(done), tuple(left_out)

    # ---- inside ----------------------------------------------------------------------------------

    async def _attempt(self, commit: Commit) -> VChannelState | None:
        """The channel state after it; None when it was refused or its outcome is not known."""
        try:
            revision = await self._meta.txn(commit.compare, commit.operations)
        except Unavailable:
            return None
        if revision is None:
            self.conflicts += 1
            return None
        return commit.settled(revision)

    async def _save_group(
        self, server_id: int, group: Sequence[CheckpointMove], *, fresh: bool
    ) -> tuple[list[VChannelState], list[CheckpointMove]]:
        """One transaction for as many as agree with what stands; the channels, and those missed."""
        done: list[VChannelState] = []
        missed: list[CheckpointMove] = []
        reads: list[ModRevisionIs] = []
        writes: list[tuple[CheckpointMove, Put, VChannelState]] = []
        for move in group:
            try:
                channel = None if fresh else self._channels.get(move.vchannel)
                channel = channel or await read_channel(self._meta.store, self._keys, move.vchannel)
            except HeadraceError:
                missed.append(move)
                continue
            self._keep(channel)
            decision = decide_move(move, server_id, channel)
            if decision is None:
                missed.append(move)
            elif isinstance(decision, Already):
                done.append(channel)
            else:
                reads += [channel.epoch.unchanged, channel.checkpoint.unchanged]
                writes.append((move, *decision))
        if writes:
            try:
                revision = await self._meta.txn(reads, [put for _, put, _ in writes])
            except Unavailable:
                revision = None
            if revision is None:
                for move, _, _ in writes:
                    self.forget(move.vchannel)
                return done, [*missed, *(move for move, _, _ in writes)]
            for _, put, after in writes:
                channel = with_revision(after, {put.key}, revision)
                self._keep(channel)
                done.append(channel)
        return done, missed

    async def _read(self, vchannel: VChannel, deadline: float) -> VChannelState:
        """The vchannel as it stands now; repeated until the deadline, then `Unavailable`.

        `Fenced` when there is none: no node holds an epoch of it any more.
        """
        self.forget(vchannel)
        while True:
            try:
                channel = await read_channel(self._meta.store, self._keys, vchannel)
            except NotFound as error:
                raise Fenced(f"{vchannel} was dropped and cleared away") from error
            except Unavailable:
                if self._clock.monotonic() + self._retry_s > deadline:
                    raise
                await self._clock.sleep(self._retry_s)
            else:
                self._keep(channel)
                return channel

    def _keep(self, channel: VChannelState) -> None:
        known = self._channels.get(channel.vchannel)
        if known is None or known.revision <= channel.revision:
            self._channels[channel.vchannel] = channel.slim()
            self._channels.move_to_end(channel.vchannel)
        while len(self._channels) > _CHANNELS_MOST:
            self._channels.popitem(last=False)
