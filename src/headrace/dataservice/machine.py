"""The data service's machine: what follows from what happened.

**Owns** the decisions of one leadership, by way of its parts: `channels` and `nodes` (who watches
what), `reports` (one at a time a vchannel), `lists` and `flushes` (snapshots), `chores`. **Does not
own** any I/O (`shell`) or anything durable: it begins empty with each leadership, acts once it has
seen all vchannels and all sessions, and whatever it forgets is derived anew from meta and from what
nodes report.
"""

from collections.abc import Sequence
from typing import assert_never

from headrace.dataservice import events as ev
from headrace.dataservice.effects import (
    AnnounceFlushed,
    Answer,
    CommitMoves,
    Effect,
    LookUpCollection,
)
from headrace.dataservice.maintenance.schedule import DROPS, TRUNCATE, Chores
from headrace.dataservice.manifests.flush import Flushes
from headrace.dataservice.manifests.schedule import Lists
from headrace.dataservice.placement.channels import Channels
from headrace.dataservice.placement.failover import Failovers
from headrace.dataservice.placement.nodes import Nodes
from headrace.dataservice.reports.queue import Reports
from headrace.dataservice.settings import DataServiceSettings
from headrace.model.ids import ServerId
from headrace.rpc.messages import (
    Done,
    FlushStateResponse,
    SaveBinlogPathsResponse,
    SaveCheckpointsResponse,
)

_HINT_S = 1.0  # how often nodes are told again what somebody waits for


class DataServiceMachine:
    """See the module. `start` is the monotonic time at which the leadership began."""

    def __init__(self, settings: DataServiceSettings, start: float) -> None:
        self.failovers = Failovers(settings)
        self.nodes = Nodes(settings, self.failovers)
        self.channels = Channels(settings, self.nodes, self.failovers, start)
        self.reports = Reports()
        self.lists = Lists(settings)
        self.flushes = Flushes(self.channels, self.lists)
        self.chores = Chores(settings, start)
        self._channels_seen = False
        self._nodes_seen = False
        self._hint_at = start

    @property
    def ready(self) -> bool:
        """Whether all vchannels and all sessions have been seen, so that it may act."""
        return self._channels_seen and self._nodes_seen

    def step(self, event: ev.Event, now: float) -> Sequence[Effect]:
        """See `runtime.driver.Machine`.

        Everything is compared with what is wanted when time passes, when a node is lost or found,
        and when a flowgraph ends. Of other events there may be thousands a second: what follows
        from them at once concerns one vchannel or one node, the rest waits for the next step of
        time.
        """
        match event:
            case ev.ReportArrived() | ev.ReportCommitted() | ev.ReportRefused():
                return [*self._report(event, now), *self._waited_for(now)]
            case ev.MovesArrived() | ev.MovesCommitted() | ev.MovesRefused():
                return [*self._report(event, now), *self._waited_for(now)]
            case ev.EpochSeen() | ev.CheckpointSeen() | ev.CollectionChanged():
                self._meta(event, now)
                return self._waited_for(now)
            case ev.ChannelsListed() | ev.EpochNotWritten() | ev.EpochWritten():
                self._meta(event, now)
                return self._written(event, now)
            case (
                ev.NewEpochAsked()
                | ev.NodeSuspected()
                | ev.FlushStateAsked()
                | ev.CollectionLookedUp()
            ):
                return self._question(event, now)
            case ev.ListStored() | ev.ListNotStored() | ev.ChoreEnded() | ev.TimePassed():
                return self._time(event, now)
            case _:
                return self._node(event, now)

    def validate(self) -> None:
        """See `runtime.driver.Machine`: what must hold after every step."""
        for channel in self.channels.all():
            if channel.sending:
                assert channel.holder, f"{channel} is sent to nobody"
            assert not (channel.unwatched and channel.lost), f"{channel} is lost and unwatched"
            if channel.dropped and channel.epoch is not None:
                known_end = channel.epoch_revision >= channel.checkpoint_revision
                assert channel.epoch.ended or not known_end, f"{channel} is dropped, not ended"
            if channel.reported is not None and channel.epoch is not None:
                assert channel.reported.epoch == channel.epoch.epoch, f"{channel}: another epoch"

    def _wanted(self, now: float) -> list[Effect]:
        """What is missing between wanted and reported."""
        if not self.ready:
            return []
        return [
            *self.nodes.asks(now),
            *self.channels.reconcile(now),
            *self.channels.hints(),
            *self.lists.due(self._passed(), now),
            *self.chores.due(now),
        ]

    def _wanted_of(self, server_id: ServerId, now: float) -> list[Effect]:
        """The same for what one process holds."""
        return self.channels.reconcile_node(server_id, now) if self.ready else []

    def _written(
        self, event: ev.ChannelsListed | ev.EpochNotWritten | ev.EpochWritten, now: float
    ) -> list[Effect]:
        if isinstance(event, ev.EpochWritten):
            return self._wanted_of(event.record.server_id, now)
        return self._wanted(now) if isinstance(event, ev.ChannelsListed) else []

    def _waited_for(self, now: float) -> list[Effect]:
        """Lists that somebody waits for, as soon as the checkpoints are there."""
        return self.lists.due(self._passed(), now) if self.ready and self.lists.waiting() else []

    def _passed(self) -> dict[int, int]:
        return {i: self.flushes.passed(i) for i in self.lists.waiting()}

    # ---- what meta says --------------------------------------------------------------------------

    def _meta(self, event: ev.MetaEvent, now: float) -> None:
        match event:
            case ev.EpochSeen():
                self._epoch_seen(event, now)
            case ev.CheckpointSeen():
                self._checkpoint_seen(event, now)
            case ev.ChannelsListed():
                self._channels_listed(event, now)
            case ev.CollectionChanged():
                self.lists.changed(event.collection_id)
            case ev.EpochWritten():
                seen = ev.EpochSeen(event.vchannel, event.record, event.revision)
                self.channels.epoch_written(seen, now)
            case ev.EpochNotWritten():
                self.channels.epoch_not_written(event.vchannel, now)
            case _:
                assert_never(event)

    def _channels_listed(self, event: ev.ChannelsListed, now: float) -> None:
        present = [e.vchannel for e in event.epochs] + [c.vchannel for c in event.checkpoints]
        self.channels.keep_only(frozenset(present))
        for seen in event.epochs:
            self._epoch_seen(seen, now)
        for checkpoint in event.checkpoints:
            self._checkpoint_seen(checkpoint, now)
        self.lists.keep_only(present)
        self._channels_seen = True

    def _epoch_seen(self, event: ev.EpochSeen, now: float) -> None:
        self.channels.see_epoch(event, now)
        if event.record is None:
            self.lists.keep_only(c.vchannel for c in self.channels.all())

    def _checkpoint_seen(self, event: ev.CheckpointSeen, now: float) -> None:
        before = self.channels.get(event.vchannel)
        dropped = before is not None and before.dropped
        if not self.channels.see_checkpoint(event):
            return
        channel = self.channels.get(event.vchannel)
        if channel is None or channel.checkpoint is None:
            self.lists.keep_only(c.vchannel for c in self.channels.all())
            return
        self.lists.see(channel.collection_id, channel.vchannel)
        self.lists.advanced(channel.collection_id)
        if channel.dropped and not dropped:
            self.lists.changed(channel.collection_id)
            self.chores.soon(DROPS, now)

    # ---- nodes -----------------------------------------------------------------------------------

    def _node(self, event: ev.NodeEvent, now: float) -> list[Effect]:
        match event:
            case ev.NodesChanged():
                self.nodes.see(event.nodes, now)
                self._nodes_seen = True
                return self._wanted(now)
            case ev.NodeAnswered():
                self.nodes.answered(event.server_id, event.channels, now)
                self.channels.node_answered(event.server_id, event.channels, now)
                return self._wanted_of(event.server_id, now)
            case ev.NodeNotReached():
                self.nodes.not_answered(event.server_id)
                self.nodes.not_reached(event.server_id, event.reason, now, refused=event.refused)
                return self._wanted(now) if event.refused else []
            case ev.WatchesAccepted():
                self.channels.watches_sent(event.server_id, event.left_out, now, accepted=False)
                self.channels.watches_sent(event.server_id, event.items, now, accepted=True)
                return self._wanted_of(event.server_id, now)
            case ev.WatchesNotAccepted():
                self.channels.watches_sent(
                    event.server_id,
                    event.items,
                    now,
                    accepted=False,
                    fenced=event.fenced,
                    reason=event.reason,
                )
                if event.refused:
                    self.nodes.not_reached(event.server_id, event.reason, now, refused=True)
                return self._wanted(now) if event.refused or event.fenced else []
            case ev.ReleaseEnded():
                self.channels.release_ended(
                    event.server_id, event.vchannel, event.epoch, now, sent=event.sent
                )
                return []
            case ev.HintEnded():
                self.nodes.hint_ended(event.server_id)
                return []
            case _:
                assert_never(event)

    # ---- reports ---------------------------------------------------------------------------------

    def _report(self, event: ev.ReportEvent, now: float) -> list[Effect]:
        match event:
            case ev.ReportArrived():
                return self.reports.arrived(event)
            case ev.ReportCommitted():
                return [*self._committed(event, now), *self.reports.ended(event.vchannel)]
            case ev.ReportRefused():
                return [Answer(event.call, event.error), *self.reports.ended(event.vchannel)]
            case ev.MovesArrived():
                return [CommitMoves(event.call, event.request)]
            case ev.MovesCommitted():
                for checkpoint in event.checkpoints:
                    self._checkpoint_seen(checkpoint, now)
                return [Answer(event.call, SaveCheckpointsResponse(event.left_out))]
            case ev.MovesRefused():
                return [Answer(event.call, event.error)]
            case _:
                assert_never(event)

    def _committed(self, event: ev.ReportCommitted, now: float) -> list[Effect]:
        effects: list[Effect] = [Answer(event.call, SaveBinlogPathsResponse(event.outcome))]
        self._epoch_seen(event.epoch, now)
        self._checkpoint_seen(event.checkpoint, now)
        channel = self.channels.get(event.vchannel)
        if channel is not None:
            if event.changes:
                self.lists.changed(channel.collection_id)
            if event.flushed:
                node = self.nodes.get(channel.holder)
                address = node.seen.address if node else ""
                effects.append(AnnounceFlushed(event.vchannel, event.flushed, address))
        return effects

    # ---- questions -------------------------------------------------------------------------------

    def _question(self, event: ev.QuestionEvent, now: float) -> list[Effect]:
        match event:
            case ev.NewEpochAsked():
                self.channels.lose(event.vchannel, event.epoch, event.server_id, event.reason, now)
                return [Answer(event.call, Done()), *self._wanted(now)]
            case ev.NodeSuspected():
                self.nodes.suspect(event.server_id, now)
                return [Answer(event.call, Done()), *self.nodes.asks(now)]
            case ev.FlushStateAsked():
                return [self._flush_state(event), *self._waited_for(now), *self.channels.hints()]
            case ev.CollectionLookedUp():
                if event.present:
                    return [Answer(event.call, _not_yet("its vchannels have not been seen yet"))]
                return [Answer(event.call, FlushStateResponse(flushed=True))]  # it has gone
            case _:
                assert_never(event)

    def _flush_state(self, event: ev.FlushStateAsked) -> Effect:
        if not self.ready:
            return Answer(event.call, _not_yet("the data service has just begun to lead"))
        state = self.flushes.state(event.collection_ids, event.timestamp)
        unseen = [i for i in event.collection_ids if not self.lists.vchannels(i)]
        if not unseen or not state.flushed:
            return Answer(event.call, state)
        if len(event.collection_ids) > 1:  # if it has gone, it is not asked about again
            waits_for = f"the vchannels of collection {unseen[0]} have not been seen yet"
            return Answer(event.call, _not_yet(waits_for))
        return LookUpCollection(event.call, unseen[0])

    # ---- lists, chores, time ---------------------------------------------------------------------

    def _time(self, event: ev.TimeEvent, now: float) -> list[Effect]:
        match event:
            case ev.ListStored():
                self.lists.stored(event, now)
                return self._waited_for(now)
            case ev.ListNotStored():
                self.lists.not_stored(event, now)
                for vchannel, timestamp in event.awaits:
                    self.channels.await_timestamp(vchannel, timestamp)
                return []
            case ev.ChoreEnded():
                self.chores.ended(event.chore, now)
                for collection_id in event.lists:
                    self.lists.changed(collection_id)
                if event.chore == DROPS:
                    self.chores.soon(TRUNCATE, now)
                return []
            case ev.TimePassed():
                if now >= self._hint_at:
                    self._hint_at = now + _HINT_S
                    self.channels.repeat_hints()
                return self._wanted(now)
            case _:
                assert_never(event)


def _not_yet(waits_for: str) -> FlushStateResponse:
    return FlushStateResponse(flushed=False, waits_for=waits_for)
