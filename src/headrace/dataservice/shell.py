"""Carries the data service's decisions out: one straight coroutine an effect, one event back.

Only a commit is repeated here; everything else that failed becomes an event, and the machine orders
it anew if it is still wanted. When a transaction finds another leader, the leadership ends.
"""

import asyncio
from collections.abc import Callable
from typing import Any, assert_never

from headrace.dataservice import effects as fx
from headrace.dataservice import events as ev
from headrace.dataservice.maintenance.round import Maintenance
from headrace.dataservice.manifests.manifest import HeldBack, derive, store
from headrace.dataservice.placement.epochs import write_epoch
from headrace.dataservice.placement.watches import read_watch
from headrace.dataservice.reports.committer import Committer, Saved
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.state.channel_state import VChannelState
from headrace.frame.leader_store import LeaderStore, NotLeading
from headrace.frame.surroundings import Surroundings
from headrace.meta.api import Compacted
from headrace.model.channel import VChannel
from headrace.model.errors import Corrupt, HeadraceError, Unavailable
from headrace.model.ids import CollectionId, Epoch
from headrace.model.segment import SegmentState
from headrace.rpc.api import NotSent
from headrace.rpc.messages import (
    AwaitedTimestamp,
    AwaitTimestampsRequest,
    ManifestStoredRequest,
    NodeStateRequest,
    NodeStateResponse,
    ReleaseDmChannelRequest,
    SaveBinlogPathsRequest,
    SegmentFlushedRequest,
    Watch,
    WatchDmChannelsRequest,
)

COMMITTED = "dataservice.report.committed"  # it stands, its sender does not know
_READ_AT_ONCE = 16  # watches that are read at the same time
MANIFEST_DERIVED = "dataservice.manifest.derived"  # what it names stands, it is not stored yet


class DataServiceShell:
    """The hands of one leadership."""

    def __init__(
        self,
        around: Surroundings[DataServiceSettings],
        meta: LeaderStore,
        *,
        committer: Committer,
        maintenance: Maintenance,
        vchannels: Callable[[CollectionId], list[VChannel]],
        proxies: Callable[[], list[str]],
        answer: Callable[[int, Any], None],
        stand_down: Callable[[str], None],
    ) -> None:
        telemetry = around.telemetry
        self._settings = around.settings
        self._log = telemetry.log
        self._keys = around.keys
        self._meta = meta
        self._objects = around.objects
        self._peers = around.peers
        self._committer = committer
        self._maintenance = maintenance
        self._vchannels = vchannels
        self._proxies = proxies
        self._answer = answer
        self._stand_down = stand_down
        self._crash = around.crash
        self._not_stored: dict[CollectionId, None] = {}  # whose manifest failed last time
        self._assigned = telemetry.counter("dataservice_assignments_total", "Epochs written")
        self._commits = telemetry.counter(
            "dataservice_commits_total", "Reports by what became of them", ("outcome",)
        )
        self._conflicts = telemetry.counter(
            "dataservice_conflicts_total", "Transactions that met something newer"
        )
        self._manifests = telemetry.counter("dataservice_manifests_total", "Manifests stored")

    async def perform(self, effect: fx.Effect) -> ev.Event | None:
        """Carry an effect out; the event that answers it, if it needs one."""
        match effect:
            case fx.Answer():
                self._answer(effect.call, effect.response)
                return None
            case fx.AnnounceFlushed(vchannel, segment_ids, address):
                flushed = SegmentFlushedRequest(vchannel=vchannel, segment_ids=segment_ids)
                await self._announce(flushed, address)
                return None
            case fx.AnnounceManifest(collection_id, timestamp):
                stored = ManifestStoredRequest(collection_id=collection_id, timestamp=timestamp)
                await asyncio.gather(*(self._announce(stored, a) for a in self._proxies()))
                return None
            case fx.WriteEpoch():
                return await self._write_epoch(effect)
            case fx.SendWatches():
                return await self._send_watches(effect)
            case fx.Release():
                return await self._release(effect)
            case fx.AskNode():
                return await self._ask_node(effect)
            case fx.SendHint():
                return await self._send_hint(effect)
            case fx.CommitReport():
                return await self._commit_report(effect)
            case fx.CommitMoves():
                return await self._commit_moves(effect)
            case fx.StoreManifest():
                return await self._store_manifest(effect)
            case fx.LookUpCollection():
                return await self._look_up(effect)
            case fx.DoMaintenance():
                return await self._do_maintenance(effect)
            case _:
                assert_never(effect)

    # ---- assignments -----------------------------------------------------------------------------

    async def _write_epoch(self, effect: fx.WriteEpoch) -> ev.Event:
        self._committer.forget(effect.vchannel)
        try:
            written = await write_epoch(self._meta, self._keys, effect)
        except HeadraceError as error:
            self._check_leads(error)
            return ev.EpochNotWritten(effect.vchannel, error.message)
        if written is None:
            return ev.EpochNotWritten(effect.vchannel, "something else stands")
        record, revision = written
        self._assigned.inc()
        self._log.info(
            "vchannel assigned",
            vchannel=effect.vchannel,
            epoch=record.epoch,
            node=record.node_name,
            server_id=record.server_id,
        )
        return ev.EpochWritten(effect.vchannel, record, revision)

    async def _send_watches(self, effect: fx.SendWatches) -> ev.Event:
        watches: list[Watch] = []
        for start in range(0, len(effect.items), _READ_AT_ONCE):
            part = effect.items[start : start + _READ_AT_ONCE]
            read = await asyncio.gather(*(self._read_watch(v, e) for v, e in part))
            watches += [w for w in read if w is not None]
        sent = tuple((w.vchannel, w.epoch) for w in watches)
        if not sent:
            return ev.WatchesNotAccepted(effect.server_id, effect.items, "could not be read")
        request = WatchDmChannelsRequest(effect.server_id, tuple(watches))
        try:
            await self._call(effect.address, request)
        except Unavailable as error:
            refused = isinstance(error, NotSent)
            return ev.WatchesNotAccepted(
                effect.server_id, effect.items, error.message, refused=refused
            )
        except HeadraceError as error:
            self._log.warning("watch refused", vchannels=sent, reason=error.message)
            return ev.WatchesNotAccepted(effect.server_id, effect.items, error.message, fenced=True)
        left_out = tuple(item for item in effect.items if item not in sent)
        return ev.WatchesAccepted(effect.server_id, sent, left_out)

    async def _read_watch(self, vchannel: VChannel, epoch: Epoch) -> Watch | None:
        try:
            return await read_watch(self._meta.store, self._keys, vchannel, epoch)
        except (Unavailable, Compacted) as error:
            self._log.debug("no watch yet", vchannel=vchannel, reason=str(error))
        except Corrupt as error:
            self._log.error("no watch can be made", vchannel=vchannel, reason=error.message)
        return None

    async def _release(self, effect: fx.Release) -> ev.Event:
        request = ReleaseDmChannelRequest(
            server_id=effect.server_id,
            vchannel=effect.vchannel,
            epoch=effect.epoch,
            drain=effect.drain,
        )
        sent = True
        try:
            await self._call(effect.address, request)
        except Unavailable:
            sent = False
        except HeadraceError as error:
            self._log.info("nothing to release", vchannel=effect.vchannel, reason=error.message)
        return ev.ReleaseEnded(effect.server_id, effect.vchannel, effect.epoch, sent)

    async def _ask_node(self, effect: fx.AskNode) -> ev.Event:
        request = NodeStateRequest(effect.server_id)
        try:
            answer: NodeStateResponse = await self._peers.call(
                effect.address, request, timeout_s=self._settings.poll_timeout_s
            )
        except Unavailable as error:
            return ev.NodeNotReached(effect.server_id, isinstance(error, NotSent), error.message)
        except HeadraceError as error:  # another process is at that address
            return ev.NodeNotReached(effect.server_id, True, error.message)
        if answer.server_id != effect.server_id:
            return ev.NodeNotReached(effect.server_id, True, f"process {answer.server_id} answers")
        return ev.NodeAnswered(effect.server_id, answer.channels)

    async def _send_hint(self, effect: fx.SendHint) -> ev.Event:
        items = tuple(AwaitedTimestamp(v, t) for v, t in effect.items)
        try:
            await self._call(effect.address, AwaitTimestampsRequest(effect.server_id, items))
        except HeadraceError as error:
            self._log.debug("a hint was lost", server_id=effect.server_id, reason=error.message)
        return ev.HintEnded(effect.server_id)

    # ---- reports ---------------------------------------------------------------------------------

    async def _commit_report(self, effect: fx.CommitReport) -> ev.Event:
        report = effect.report
        conflicts = self._committer.conflicts
        try:
            saved = await self._committer.save(report)
        except HeadraceError as error:
            refusal = self._refusal(error)
            self._commits.labels(type(refusal).__name__.lower()).inc()
            if not isinstance(refusal, Unavailable):
                self._log.warning(
                    "report refused", vchannel=report.vchannel, reason=refusal.message
                )
            return ev.ReportRefused(effect.call, report.vchannel, refusal)
        finally:
            self._conflicts.inc(self._committer.conflicts - conflicts)
        self._commits.labels(saved.outcome).inc()
        self._crash.reach(COMMITTED)
        return ev.ReportCommitted(
            effect.call,
            report.vchannel,
            saved.outcome,
            epoch_seen(saved.channel),
            checkpoint_seen(saved.channel),
            flushed_by(report, saved),
            bool(report.segments or report.deletes or report.dropped_partitions),
        )

    async def _commit_moves(self, effect: fx.CommitMoves) -> ev.Event:
        request = effect.request
        try:
            channels, left_out = await self._committer.save_moves(request.server_id, request.moves)
        except HeadraceError as error:
            return ev.MovesRefused(effect.call, self._refusal(error))
        return ev.MovesCommitted(effect.call, tuple(map(checkpoint_seen, channels)), left_out)

    async def _announce(self, news: object, address: str) -> None:
        try:
            await self._peers.call(address, news, timeout_s=self._settings.announce_timeout_s)
        except HeadraceError as error:
            self._log.debug("not announced", address=address, reason=error.message)

    # ---- manifests and maintenance ---------------------------------------------------------------

    async def _store_manifest(self, effect: fx.StoreManifest) -> ev.Event:
        collection_id = effect.collection_id
        try:
            derived = await derive(
                self._meta.store, self._keys, collection_id, self._vchannels(collection_id)
            )
            if isinstance(derived, HeldBack):
                return ev.ManifestNotStored(collection_id, "half dropped", derived.awaits)
            self._crash.reach(MANIFEST_DERIVED)
            await store(self._objects, derived.manifest)
        except Compacted as error:
            return ev.ManifestNotStored(collection_id, str(error))
        except HeadraceError as error:
            say = self._log.debug if collection_id in self._not_stored else self._log.warning
            say("no manifest", collection=collection_id, reason=error.message)
            self._not_stored[collection_id] = None
            return ev.ManifestNotStored(collection_id, error.message)
        self._manifests.inc()
        if collection_id in self._not_stored:
            del self._not_stored[collection_id]
            self._log.info("manifest stored again", collection=collection_id)
        return ev.ManifestStored(
            collection_id=collection_id,
            revision=derived.manifest.revision,
            timestamp=derived.manifest.timestamp,
            complete=derived.complete,
            over=derived.over,
        )

    async def _look_up(self, effect: fx.LookUpCollection) -> ev.Event:
        try:
            found = await self._meta.store.get(self._keys.collection(effect.collection_id))
        except Unavailable:
            return ev.CollectionLookedUp(effect.call, present=True)  # so: not flushed yet
        return ev.CollectionLookedUp(effect.call, found.first is not None)

    async def _do_maintenance(self, effect: fx.DoMaintenance) -> ev.Event:
        task = effect.task
        try:
            changed = await self._maintenance.round(task)
        except Compacted as error:
            self._log.info("maintenance put off", task=task, reason=str(error))
            return ev.MaintenanceEnded(task)
        except HeadraceError as error:
            self._check_leads(error)
            self._log.warning("maintenance put off", task=task, reason=error.message)
            return ev.MaintenanceEnded(task)
        return ev.MaintenanceEnded(task, changed)

    # ---- inside ----------------------------------------------------------------------------------

    async def _call(self, address: str, request: Any) -> Any:
        return await self._peers.call(address, request, timeout_s=self._settings.call_timeout_s)

    def _refusal(self, error: HeadraceError) -> HeadraceError:
        """A process that no longer leads cannot say whose report is fenced: its leader can."""
        return Unavailable(error.message) if self._check_leads(error) else error

    def _check_leads(self, error: HeadraceError) -> bool:
        if isinstance(error, NotLeading):
            self._stand_down(error.message)
            return True
        return False


def epoch_seen(channel: VChannelState) -> ev.EpochSeen:
    """The epoch record after a commit."""
    return ev.EpochSeen(channel.vchannel, channel.epoch.value, channel.epoch.revision)


def checkpoint_seen(channel: VChannelState) -> ev.CheckpointSeen:
    """The channel checkpoint after a commit."""
    checkpoint = channel.checkpoint
    return ev.CheckpointSeen(channel.vchannel, checkpoint.value, checkpoint.revision)


def flushed_by(report: SaveBinlogPathsRequest, saved: Saved) -> tuple[int, ...]:
    """The segments that are flushed with this report."""
    flushed = []
    for s in report.segments:
        record = saved.channel.segment(s.segment_id) if s.flushed else None
        if record is not None and saved.channel.state_of(record) is SegmentState.FLUSHED:
            flushed.append(s.segment_id)
    return tuple(flushed)
