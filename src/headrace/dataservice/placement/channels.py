"""Channels: every vchannel, wanted against reported, until they agree.

**Owns** the table of vchannels, where each is and goes, and the orders that bring it there. **Does
not own** the choice of a node (`assignment`), who counts as gone (`failover`), or reports
(`reports`).

Level-triggered: `reconcile` looks at everything that does not agree and orders what is missing,
whether it was never done, failed, or was lost with the leader before. Nothing here is remembered
beyond the process: epochs stand in meta, the rest is asked for again.

    no node --WriteEpoch-->  held, unwatched  --SendWatches-->  watched
    watched --(holder gone, flowgraph ended)--> WriteEpoch for the next one
    watched --Release, released or waited long enough--> WriteEpoch for another node
"""

from collections.abc import Iterable, Sequence

from headrace.dataservice.effects import Effect, Release, SendHint, SendWatches, WriteEpoch
from headrace.dataservice.events import (
    CheckpointSeen,
    EpochSeen,
    ReleaseEnded,
    WatchesAccepted,
    WatchesNotAccepted,
)
from headrace.dataservice.placement import assignment
from headrace.dataservice.placement.assignment import Placed
from headrace.dataservice.placement.channel import ENDED, Channel
from headrace.dataservice.placement.failover import Failovers
from headrace.dataservice.placement.nodes import Node, Nodes
from headrace.dataservice.settings import DataServiceSettings
from headrace.model.channel import VChannel, parse_vchannel
from headrace.model.ids import Epoch, ServerId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import ChannelState, FlowgraphState, NewEpochRequest

_AGAIN_S = 0.25  # what was not done is ordered again so much later


class Channels:
    """The table of vchannels."""

    def __init__(
        self, settings: DataServiceSettings, nodes: Nodes, failovers: Failovers, start: float
    ) -> None:
        self._settings = settings
        self._nodes = nodes
        self._failovers = failovers
        self._table: dict[VChannel, Channel] = {}
        self._held: dict[ServerId, dict[VChannel, None]] = {}  # by the present epoch's process
        self._settled_at = start + settings.settle_s
        self._stale = True  # a vchannel may need another node
        self._usable: tuple[str, ...] = ()
        self._balance_at = start

    def all(self) -> list[Channel]:
        return [self._table[v] for v in sorted(self._table)]

    def get(self, vchannel: VChannel) -> Channel | None:
        return self._table.get(vchannel)

    # ---- facts -----------------------------------------------------------------------------------

    def see_epoch(self, seen: EpochSeen, now: float) -> None:
        """An epoch record, by the watch or by our own write."""
        channel = self._known(seen.vchannel)
        before = channel.holder
        self._stale |= channel.see_epoch(seen, now)
        self._index(channel, before)
        self._forget_absent(channel)

    def see_checkpoint(self, seen: CheckpointSeen) -> bool:
        """A checkpoint record, by the watch or by our own write; whether it is news."""
        channel = self._known(seen.vchannel)
        wanted = channel.wanted
        news = channel.see_checkpoint(seen)
        self._stale |= channel.wanted != wanted
        self._forget_absent(channel)
        return news

    def keep_only(self, vchannels: frozenset[VChannel]) -> None:
        """Forget those that meta no longer has."""
        for vchannel in sorted(self._table.keys() - vchannels):
            self._remove(self._table[vchannel])

    def node_answered(
        self, server_id: ServerId, states: Sequence[ChannelState], now: float
    ) -> None:
        """What a node watches, compared with what it should."""
        node = self._nodes.get(server_id)
        if node is None:
            return
        reported = {(s.vchannel, s.epoch): s for s in states}
        node.strangers = tuple(
            (s.vchannel, s.epoch)
            for s in states
            if s.state not in ENDED and self._is_stranger(server_id, s.vchannel, s.epoch)
        )
        for channel in self._held_by(server_id):
            assert channel.epoch is not None
            state = reported.get((channel.vchannel, channel.epoch.epoch))
            if not channel.see_state(state, node.asked_at):
                continue
            assert state is not None
            if state.state == FlowgraphState.RELEASED and channel.drained_by is not None:
                channel.give_back()
            else:
                channel.lose(state.reason or state.state, now, self._settings)

    def epoch_written(self, seen: EpochSeen, now: float) -> None:
        """Our own write stands: its holder cannot know of it yet."""
        self.see_epoch(seen, now)
        channel = self._table.get(seen.vchannel)
        if channel is not None:
            channel.writing = False
            channel.unwatched = channel.epoch == seen.record

    def epoch_not_written(self, vchannel: VChannel, now: float) -> None:
        """Our own write does not stand, or may not; the watch tells what stands."""
        channel = self._table.get(vchannel)
        if channel is not None:
            channel.writing, channel.write_at = False, now + _AGAIN_S

    def watches_accepted(self, event: WatchesAccepted, now: float) -> None:
        """The node is asked at once what it watches; what it was not sent is sent again."""
        node = self._nodes.get(event.server_id)
        if node is not None:
            node.sending, node.ask_at = False, now
        for channel in self._at(event.left_out):
            channel.not_sent(now, self._settings)
        for channel in self._at(event.items):
            channel.sending = channel.unwatched = False
            channel.changed_at, channel.unsent = now, 0

    def watches_not_accepted(self, event: WatchesNotAccepted, now: float) -> None:
        """They are sent again; after a refusal (`fenced`) each by itself, then with a new epoch."""
        node = self._nodes.get(event.server_id)
        if node is not None:
            node.sending = False
        for channel in self._at(event.items):
            channel.not_sent(now, self._settings)
            if event.fenced and len(event.items) == 1:
                channel.lose(event.reason, now, self._settings)
            elif event.fenced:
                channel.alone = True

    def release_ended(self, event: ReleaseEnded, now: float) -> None:
        """An order to release was taken, or was not: then it is repeated after a pause."""
        item = (event.vchannel, event.epoch)
        self._nodes.released(event.server_id, *item)
        for channel in self._at([item]):
            channel.releasing, channel.released = False, event.sent
            channel.release_at = now if event.sent else now + self._settings.poll_s

    def lose(self, request: NewEpochRequest, now: float) -> None:
        """A flowgraph says that it has ended; ignored when its epoch is not the present one."""
        for channel in self._at([(request.vchannel, request.epoch)]):
            if channel.holder == request.server_id and not channel.lost:
                channel.lose(request.reason, now, self._settings)

    # ---- orders ----------------------------------------------------------------------------------

    def reconcile(self, now: float) -> list[Effect]:
        """All that has to be ordered now so that wanted and reported agree."""
        if now >= self._settled_at:
            self._choose(now)
        return self._agree(self._table.values(), now) + self._nodes.releases()

    def reconcile_node(self, server_id: ServerId, now: float) -> list[Effect]:
        """The same for what one process holds; while watches are on their way there, that waits
        for their end."""
        node = self._nodes.get(server_id)
        if node is None or node.sending:
            return []
        return self._agree(self._held_by(server_id), now) + self._nodes.releases()

    def _agree(self, channels: Iterable[Channel], now: float) -> list[Effect]:
        effects: list[Effect] = []
        unwatched: dict[ServerId, list[Channel]] = {}
        usable = self._nodes.usable()
        for channel in channels:
            if not channel.wanted or channel.writing:
                continue
            order = self._order(channel, usable.get(channel.target or ""), now)
            if order is not None:
                effects.append(order)
            elif channel.unwatched and not channel.sending and now >= channel.send_at:
                unwatched.setdefault(channel.holder, []).append(channel)
        for server_id, waiting in unwatched.items():
            effects += self._watches(server_id, waiting)
        return effects

    def _order(self, channel: Channel, node: Node | None, now: float) -> Effect | None:
        """The next epoch (for `node`) or the release that this vchannel needs now, if any."""
        if node is None or now < channel.write_at:
            return None
        gone = self._is_gone(channel, now)
        if gone or channel.lost:
            waits = channel.lost and not gone and now < channel.retry_at
            return None if waits else self._write(channel, node)
        if channel.holder == node.seen.server_id:
            return None
        if channel.drained_by is None:
            channel.drained_by = now + self._settings.drain_s
        if now >= channel.drained_by or channel.unwatched:
            return self._write(channel, node)  # waited long enough, or it was never watched
        return self._release(channel) if now >= channel.release_at else None

    def _write(self, channel: Channel, node: Node) -> Effect:
        assert channel.epoch is not None
        channel.writing = True
        return WriteEpoch(
            vchannel=channel.vchannel,
            epoch=channel.epoch.epoch + 1,
            revision=channel.epoch_revision,
            server_id=node.seen.server_id,
            node_name=node.seen.node_name,
        )

    def _release(self, channel: Channel) -> Effect | None:
        holder = self._nodes.get(channel.holder)
        if holder is None or channel.epoch is None or channel.releasing or channel.released:
            return None
        channel.releasing = True
        epoch = channel.epoch.epoch
        return Release(channel.holder, holder.seen.address, channel.vchannel, epoch, True)

    def _watches(self, server_id: ServerId, waiting: list[Channel]) -> list[Effect]:
        node = self._nodes.get(server_id)
        if node is None or node.sending:
            return []
        node.sending = True
        alone = [c for c in waiting if c.alone]
        items = []
        for channel in alone[:1] or waiting[: self._settings.watches_at_once]:
            assert channel.epoch is not None
            channel.sending = True
            items.append((channel.vchannel, channel.epoch.epoch))
        return [SendWatches(server_id, node.seen.address, tuple(items))]

    def hints(self) -> list[Effect]:
        """Tell nodes the timestamps that callers wait for."""
        waiting: dict[ServerId, list[tuple[VChannel, Timestamp]]] = {}
        for channel in self._table.values():
            waits = channel.awaited > channel.timestamp and channel.wanted and not channel.hinted
            if waits and channel.reported is not None and not channel.lost:
                waiting.setdefault(channel.holder, []).append((channel.vchannel, channel.awaited))
        effects: list[Effect] = []
        for server_id, items in waiting.items():
            node = self._nodes.get(server_id)
            if node is None or node.hinting:
                continue
            node.hinting = True
            for vchannel, _ in items:
                self._table[vchannel].hinted = True
            effects.append(SendHint(server_id, node.seen.address, tuple(items)))
        return effects

    def await_timestamp(self, vchannel: VChannel, timestamp: Timestamp) -> None:
        """A caller waits until this checkpoint has passed the timestamp."""
        channel = self._table.get(vchannel)
        if channel is not None and timestamp > channel.awaited:
            channel.awaited, channel.hinted = timestamp, False

    def repeat_hints(self) -> None:
        """What still waits is told again: a hint may be lost, a holder may change."""
        for channel in self._table.values():
            channel.hinted = False

    # ---- places ----------------------------------------------------------------------------------

    def _choose(self, now: float) -> None:
        usable = self._nodes.usable_names(now)
        forgotten = self._nodes.forget_gone(now)
        self._stale |= usable != self._usable or forgotten
        self._usable = usable
        if self._stale:
            self._stale = False
            wanted = [c for c in self._table.values() if c.wanted]
            for channel in wanted:
                channel.target = self._stays(channel, now)
            placed = [self._placed(c, now) for c in wanted]
            for vchannel, name in assignment.place(placed, usable).items():
                self._table[vchannel].target = name
        due = max(self._balance_at, self._nodes.joined_at + self._settings.balance_delay_s)
        if now >= due:
            self._balance_at = now + 1.0
            self._balance(now)

    def _stays(self, channel: Channel, now: float) -> str | None:
        """The node that it is with or is going to, if that may have it; else None."""
        if channel.target in self._usable and channel.target is not None:
            return channel.target
        if self._is_gone(channel, now):
            return None
        holder = self._nodes.get(channel.holder)
        # A node without a session that still answers may register anew and be confirmed.
        return holder.seen.node_name if holder and not holder.stopping else None

    def _balance(self, now: float) -> None:
        s = self._settings
        wanted = [c for c in self._table.values() if c.wanted]
        under_way = sum(1 for c in wanted if self._moves(c))
        moves = assignment.balance(
            [self._placed(c, now) for c in wanted],
            self._usable,
            moves=s.moves_at_once - under_way,
            split_difference=s.split_difference,
        )
        for vchannel, name in moves.items():
            self._table[vchannel].target = name
            self._table[vchannel].moved_at = now

    def _moves(self, channel: Channel) -> bool:
        holder = self._nodes.get(channel.holder)
        return holder is None or channel.target != holder.seen.node_name or channel.writing

    def _placed(self, channel: Channel, now: float) -> Placed:
        running = channel.reported is not None and channel.reported.state == FlowgraphState.RUNNING
        rested = now - channel.moved_at >= self._settings.cool_down_s
        return Placed(
            vchannel=channel.vchannel,
            pchannel=channel.pchannel,
            node=channel.target,
            last_node=channel.epoch.node_name if channel.epoch else "",
            movable=running and rested and not self._moves(channel),
        )

    # ---- inside ----------------------------------------------------------------------------------

    def _at(self, items: Iterable[tuple[VChannel, Epoch]]) -> list[Channel]:
        """Those of the vchannels of which that is the present epoch."""
        found = [(self._table.get(vchannel), epoch) for vchannel, epoch in items]
        return [c for c, epoch in found if c and c.epoch and c.epoch.epoch == epoch]

    def _is_gone(self, channel: Channel, now: float) -> bool:
        return channel.holder == 0 or self._failovers.is_gone(channel.holder, now)

    def _is_stranger(self, server_id: ServerId, vchannel: VChannel, epoch: Epoch) -> bool:
        channel = self._table.get(vchannel)
        if channel is None or channel.epoch is None:
            return True
        if epoch > channel.epoch.epoch:
            return False  # we are behind
        return channel.holder != server_id or channel.epoch.epoch != epoch or channel.epoch.ended

    def _known(self, vchannel: VChannel) -> Channel:
        channel = self._table.get(vchannel)
        if channel is None:
            parts = parse_vchannel(vchannel)
            channel = Channel(vchannel, parts.pchannel, parts.collection_id)
            self._table[vchannel] = channel
        return channel

    def _forget_absent(self, channel: Channel) -> None:
        if channel.epoch is None and channel.checkpoint is None:
            self._remove(channel)

    def _remove(self, channel: Channel) -> None:
        del self._table[channel.vchannel]
        self._held.get(channel.holder, {}).pop(channel.vchannel, None)

    def _index(self, channel: Channel, before: ServerId) -> None:
        if channel.holder != before:
            held = self._held.get(before, {})
            held.pop(channel.vchannel, None)
            if not held:
                self._held.pop(before, None)
        if channel.holder:
            self._held.setdefault(channel.holder, {})[channel.vchannel] = None

    def _held_by(self, server_id: ServerId) -> list[Channel]:
        return [self._table[v] for v in self._held.get(server_id, ())]
