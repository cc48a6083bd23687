"""The data service's machine: what follows from what happened.

It begins empty with each leadership and acts once it has seen all vchannels and all sessions.
Nothing that it forgets is lost: the rest is read from the meta store and asked of the nodes anew.
Each decision is made by a part: `channels` and `nodes` say who watches what, `reports` lets one
report at a time into each vchannel, `manifests` and `flushes` say when a manifest is made,
`maintenance` what is done again and again.

When time passes, a node is lost or found, or a flowgraph ends, everything that is wanted is
compared with what is reported. Of other events there may be thousands a second: what follows from
them at once concerns one vchannel or one node, and the rest waits for the next step of time.
"""

from collections.abc import Sequence
from typing import assert_never

from headrace.dataservice import effects as fx
from headrace.dataservice import events as ev
from headrace.dataservice.events import MaintenanceTask
from headrace.dataservice.maintenance.schedule import MaintenanceSchedule
from headrace.dataservice.manifests.flush import Flushes
from headrace.dataservice.manifests.schedule import ManifestSchedule
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
from headrace.runtime.driver import Machine

_HINT_S = 1.0  # how often nodes are told again for which timestamps a caller waits


class DataServiceMachine(Machine[ev.Event, fx.Effect]):
    """One leadership. `start` is the monotonic time at which it began."""

    def __init__(self, settings: DataServiceSettings, start: float) -> None:
        self.failovers = Failovers(settings)
        self.nodes = Nodes(settings, self.failovers)
        self.channels = Channels(settings, self.nodes, self.failovers, start)
        self.reports = Reports()
        self.manifests = ManifestSchedule(settings)
        self.flushes = Flushes(self.channels, self.manifests)
        self.maintenance = MaintenanceSchedule(settings, start)
        self._channels_seen = False
        self._nodes_seen = False
        self._hint_at = start

    @property
    def ready(self) -> bool:
        """Whether all vchannels and all sessions have been seen, so that it may act."""
        return self._channels_seen and self._nodes_seen

    def step(self, event: ev.Event, now: float) -> Sequence[fx.Effect]:
        match event:
            case ev.EpochSeen():
                return self._epoch_seen(event, now)
            case ev.CheckpointSeen():
                return self._checkpoint_seen(event, now)
            case ev.ChannelsListed():
                return self._channels_listed(event, now)
            case ev.CollectionChanged():
                return self._collection_changed(event, now)
            case ev.EpochWritten():
                return self._epoch_written(event, now)
            case ev.EpochNotWritten():
                self.channels.epoch_not_written(event.vchannel, now)
            case ev.NodesChanged():
                return self._nodes_changed(event, now)
            case ev.NodeAnswered():
                return self._node_answered(event, now)
            case ev.NodeNotReached():
                return self._node_not_reached(event, now)
            case ev.WatchesAccepted():
                return self._watches_accepted(event, now)
            case ev.WatchesNotAccepted():
                return self._watches_not_accepted(event, now)
            case ev.ReleaseEnded():
                self.channels.release_ended(event, now)
            case ev.HintEnded():
                self.nodes.hint_ended(event.server_id)
            case ev.ReportArrived():
                return [*self.reports.arrived(event), *self._awaited_manifests(now)]
            case ev.ReportCommitted():
                return self._report_committed(event, now)
            case ev.ReportRefused():
                return self._report_refused(event, now)
            case ev.MovesArrived():
                commit = fx.CommitMoves(event.call, event.request)
                return [commit, *self._awaited_manifests(now)]
            case ev.MovesCommitted():
                return self._moves_committed(event, now)
            case ev.MovesRefused():
                return [fx.Answer(event.call, event.error), *self._awaited_manifests(now)]
            case ev.NewEpochAsked():
                return self._new_epoch_asked(event, now)
            case ev.NodeSuspected():
                return self._node_suspected(event, now)
            case ev.FlushStateAsked():
                return self._flush_state_asked(event, now)
            case ev.CollectionLookedUp():
                return self._collection_looked_up(event)
            case ev.ManifestStored():
                return self._manifest_stored(event, now)
            case ev.ManifestNotStored():
                self._manifest_not_stored(event, now)
            case ev.MaintenanceEnded():
                self._maintenance_ended(event, now)
            case ev.TimePassed():
                return self._time_passed(now)
            case _:
                assert_never(event)
        return []

    def validate(self) -> None:
        for channel in self.channels.all():
            if channel.sending:
                assert channel.holder, f"{channel} is sent to no process"
            assert not (channel.unwatched and channel.lost), f"{channel} is lost and unwatched"
            if channel.dropped and channel.epoch is not None:
                known_end = channel.epoch_revision >= channel.checkpoint_revision
                assert channel.epoch.ended or not known_end, f"{channel} is dropped, not ended"
            if channel.reported is not None and channel.epoch is not None:
                assert channel.reported.epoch == channel.epoch.epoch, f"{channel}: another epoch"

    # ---- what is wanted --------------------------------------------------------------------------

    def _all_wanted(self, now: float) -> list[fx.Effect]:
        if not self.ready:
            return []
        return [
            *self.nodes.asks(now),
            *self.channels.reconcile(now),
            *self.channels.hints(),
            *self._manifests_due(now),
            *self.maintenance.due(now),
        ]

    def _wanted_of(self, server_id: ServerId, now: float) -> list[fx.Effect]:
        """The same for what one process holds."""
        return self.channels.reconcile_node(server_id, now) if self.ready else []

    def _awaited_manifests(self, now: float) -> list[fx.Effect]:
        """Manifests for which a caller waits, as soon as the checkpoints are there."""
        return self._manifests_due(now) if self.ready and self.manifests.awaited() else []

    def _manifests_due(self, now: float) -> list[fx.Effect]:
        passed = {i: self.flushes.passed(i) for i in self.manifests.awaited()}
        return self.manifests.due(passed, now)

    # ---- what meta says --------------------------------------------------------------------------

    def _epoch_seen(self, event: ev.EpochSeen, now: float) -> list[fx.Effect]:
        self._see_epoch(event, now)
        return self._awaited_manifests(now)

    def _checkpoint_seen(self, event: ev.CheckpointSeen, now: float) -> list[fx.Effect]:
        self._see_checkpoint(event, now)
        return self._awaited_manifests(now)

    def _collection_changed(self, event: ev.CollectionChanged, now: float) -> list[fx.Effect]:
        self.manifests.changed(event.collection_id)
        return self._awaited_manifests(now)

    def _channels_listed(self, event: ev.ChannelsListed, now: float) -> list[fx.Effect]:
        present = [e.vchannel for e in event.epochs] + [c.vchannel for c in event.checkpoints]
        self.channels.keep_only(frozenset(present))
        for seen in event.epochs:
            self._see_epoch(seen, now)
        for checkpoint in event.checkpoints:
            self._see_checkpoint(checkpoint, now)
        self.manifests.keep_only(present)
        self._channels_seen = True
        return self._all_wanted(now)

    def _epoch_written(self, event: ev.EpochWritten, now: float) -> list[fx.Effect]:
        seen = ev.EpochSeen(event.vchannel, event.record, event.revision)
        self.channels.epoch_written(seen, now)
        return self._wanted_of(event.record.server_id, now)

    def _see_epoch(self, seen: ev.EpochSeen, now: float) -> None:
        self.channels.see_epoch(seen, now)
        if seen.record is None:
            self.manifests.keep_only(c.vchannel for c in self.channels.all())

    def _see_checkpoint(self, seen: ev.CheckpointSeen, now: float) -> None:
        before = self.channels.get(seen.vchannel)
        dropped = before is not None and before.dropped
        if not self.channels.see_checkpoint(seen):
            return
        channel = self.channels.get(seen.vchannel)
        if channel is None or channel.checkpoint is None:
            self.manifests.keep_only(c.vchannel for c in self.channels.all())
            return
        self.manifests.see(channel.collection_id, channel.vchannel)
        self.manifests.advanced(channel.collection_id)
        if channel.dropped and not dropped:
            self.manifests.changed(channel.collection_id)
            self.maintenance.soon(MaintenanceTask.DROPS, now)

    # ---- nodes -----------------------------------------------------------------------------------

    def _nodes_changed(self, event: ev.NodesChanged, now: float) -> list[fx.Effect]:
        self.nodes.see(event.nodes, now)
        self._nodes_seen = True
        return self._all_wanted(now)

    def _node_answered(self, event: ev.NodeAnswered, now: float) -> list[fx.Effect]:
        self.nodes.answered(event.server_id, event.channels, now)
        self.channels.node_answered(event.server_id, event.channels, now)
        return self._wanted_of(event.server_id, now)

    def _node_not_reached(self, event: ev.NodeNotReached, now: float) -> list[fx.Effect]:
        self.nodes.not_answered(event.server_id)
        self.nodes.not_reached(event.server_id, event.reason, now, refused=event.refused)
        return self._all_wanted(now) if event.refused else []

    def _watches_accepted(self, event: ev.WatchesAccepted, now: float) -> list[fx.Effect]:
        self.channels.watches_accepted(event, now)
        return self._wanted_of(event.server_id, now)

    def _watches_not_accepted(self, event: ev.WatchesNotAccepted, now: float) -> list[fx.Effect]:
        self.channels.watches_not_accepted(event, now)
        if event.refused:
            self.nodes.not_reached(event.server_id, event.reason, now, refused=True)
        return self._all_wanted(now) if event.refused or event.fenced else []

    # ---- reports ---------------------------------------------------------------------------------

    def _report_committed(self, event: ev.ReportCommitted, now: float) -> list[fx.Effect]:
        effects: list[fx.Effect] = [fx.Answer(event.call, SaveBinlogPathsResponse(event.outcome))]
        self._see_epoch(event.epoch, now)
        self._see_checkpoint(event.checkpoint, now)
        channel = self.channels.get(event.vchannel)
        if channel is not None:
            if event.changes:
                self.manifests.changed(channel.collection_id)
            node = self.nodes.get(channel.holder)
            if event.flushed and node and node.seen.address:
                told = fx.AnnounceFlushed(event.vchannel, event.flushed, node.seen.address)
                effects.append(told)
        return [*effects, *self.reports.ended(event.vchannel), *self._awaited_manifests(now)]

    def _report_refused(self, event: ev.ReportRefused, now: float) -> list[fx.Effect]:
        answer = fx.Answer(event.call, event.error)
        return [answer, *self.reports.ended(event.vchannel), *self._awaited_manifests(now)]

    def _moves_committed(self, event: ev.MovesCommitted, now: float) -> list[fx.Effect]:
        for checkpoint in event.checkpoints:
            self._see_checkpoint(checkpoint, now)
        answer = fx.Answer(event.call, SaveCheckpointsResponse(event.left_out))
        return [answer, *self._awaited_manifests(now)]

    # ---- questions -------------------------------------------------------------------------------

    def _new_epoch_asked(self, event: ev.NewEpochAsked, now: float) -> list[fx.Effect]:
        self.channels.lose(event.request, now)
        return [fx.Answer(event.call, Done()), *self._all_wanted(now)]

    def _node_suspected(self, event: ev.NodeSuspected, now: float) -> list[fx.Effect]:
        self.nodes.suspect(event.server_id, now)
        return [fx.Answer(event.call, Done()), *self.nodes.asks(now)]

    def _flush_state_asked(self, event: ev.FlushStateAsked, now: float) -> list[fx.Effect]:
        answer = self._flush_state(event)
        return [answer, *self._awaited_manifests(now), *self.channels.hints()]

    def _flush_state(self, event: ev.FlushStateAsked) -> fx.Effect:
        if not self.ready:
            return fx.Answer(event.call, _not_yet("the data service has just begun to lead"))
        state = self.flushes.state(event.collection_ids, event.timestamp)
        unseen = [i for i in event.collection_ids if not self.manifests.vchannels(i)]
        if not unseen or not state.flushed:
            return fx.Answer(event.call, state)
        if len(event.collection_ids) > 1:  # if it has gone, it is not asked about again
            waits_for = f"the vchannels of collection {unseen[0]} have not been seen yet"
            return fx.Answer(event.call, _not_yet(waits_for))
        return fx.LookUpCollection(event.call, unseen[0])

    def _collection_looked_up(self, event: ev.CollectionLookedUp) -> list[fx.Effect]:
        if event.present:
            return [fx.Answer(event.call, _not_yet("its vchannels have not been seen yet"))]
        return [fx.Answer(event.call, FlushStateResponse(flushed=True))]  # it has gone

    # ---- manifests, maintenance, time ------------------------------------------------------------

    def _manifest_stored(self, event: ev.ManifestStored, now: float) -> list[fx.Effect]:
        before = self.manifests.timestamp(event.collection_id)
        self.manifests.stored(event, now)
        news: list[fx.Effect] = []
        if event.timestamp > before and not event.over:
            news.append(fx.AnnounceManifest(event.collection_id, event.timestamp))
        return [*news, *self._awaited_manifests(now)]

    def _manifest_not_stored(self, event: ev.ManifestNotStored, now: float) -> None:
        self.manifests.not_stored(event, now)
        for vchannel, timestamp in event.awaits:
            self.channels.await_timestamp(vchannel, timestamp)

    def _maintenance_ended(self, event: ev.MaintenanceEnded, now: float) -> None:
        self.maintenance.ended(event.task, now)
        for collection_id in event.changed:
            self.manifests.changed(collection_id)
        if event.task is MaintenanceTask.DROPS:
            self.maintenance.soon(MaintenanceTask.TRUNCATE, now)

    def _time_passed(self, now: float) -> list[fx.Effect]:
        if now >= self._hint_at:
            self._hint_at = now + _HINT_S
            self.channels.repeat_hints()
        return self._all_wanted(now)


def _not_yet(waits_for: str) -> FlushStateResponse:
    return FlushStateResponse(flushed=False, waits_for=waits_for)
