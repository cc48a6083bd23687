"""One round of each maintenance task.

A round goes over all collections or vchannels; what is wrong with one of them is logged, and the
round goes on with the others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import assert_never

from headrace.dataservice.events import MaintenanceTask
from headrace.dataservice.maintenance.bundles import bundle_flushed
from headrace.dataservice.maintenance.collector import Collected, Collector
from headrace.dataservice.maintenance.drops import follow_drop
from headrace.dataservice.maintenance.truncate import Truncation
from headrace.dataservice.manifests.names import store_names
from headrace.dataservice.settings import DataServiceSettings
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.meta.following import LeaderWatcher
from headrace.model.channel import VChannel, parse_vchannel
from headrace.model.errors import Corrupt, NotFound, Unavailable
from headrace.model.ids import CollectionId
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import AllocTimestampRequest, AllocTimestampResponse


class Maintenance:
    """Of one leadership. `dropped`: vchannels whose checkpoint has passed a drop; `collections`:
    all collections with their vchannels."""

    def __init__(
        self,
        around: Surroundings[DataServiceSettings],
        meta: LeaderStore,
        master: LeaderWatcher,
        *,
        dropped: Callable[[], Sequence[VChannel]],
        collections: Callable[[], Mapping[CollectionId, Sequence[VChannel]]],
    ) -> None:
        settings, keys, objects = around.settings, around.keys, around.objects
        telemetry = around.telemetry
        self._settings = settings
        self._log = telemetry.log
        self._keys = keys
        self._meta = meta
        self._objects = objects
        self._peers = around.peers
        self._master = master
        self._collector = Collector(meta, keys, objects, around.host.clock, settings.grace_s)
        self._truncation = Truncation(meta, keys, around.log, settings.window_s)
        self._dropped = dropped
        self._collections = collections
        self._deleted = telemetry.counter(
            "dataservice_objects_deleted_total", "Objects that the collector removed"
        )
        self._truncates = telemetry.counter(
            "dataservice_truncates_total", "Truncate marks that were moved on", ("pchannel",)
        )

    async def round(self, task: MaintenanceTask) -> tuple[CollectionId, ...]:
        """One round; the collections that need a new manifest because of it.

        `Unavailable` and other errors of the edges; `NotLeading`.
        """
        match task:
            case MaintenanceTask.DROPS:
                return await self._drops()
            case MaintenanceTask.BUNDLES:
                return await self._bundles()
            case MaintenanceTask.COLLECT:
                return await self._collect()
            case MaintenanceTask.TRUNCATE:
                await self._truncate()
            case MaintenanceTask.NAMES:
                await store_names(self._meta.store, self._keys, self._objects)
            case _:
                assert_never(task)
        return ()

    async def _drops(self) -> tuple[CollectionId, ...]:
        changed: dict[CollectionId, None] = {}
        for vchannel in self._dropped():
            with self._apart(vchannel):
                if await follow_drop(self._meta, self._keys, self._objects, vchannel):
                    changed[parse_vchannel(vchannel).collection_id] = None
        return tuple(changed)

    async def _bundles(self) -> tuple[CollectionId, ...]:
        changed: dict[CollectionId, None] = {}
        for collection_id, vchannels in self._collections().items():
            for vchannel in vchannels:
                with self._apart(vchannel):
                    while await self._bundle(vchannel):
                        changed[collection_id] = None
        return tuple(changed)

    async def _bundle(self, vchannel: VChannel) -> bool:
        size = self._settings.bundle_size
        return await bundle_flushed(self._meta, self._keys, self._objects, vchannel, size)

    async def _collect(self) -> tuple[CollectionId, ...]:
        needing: list[CollectionId] = []
        for collection_id, vchannels in self._collections().items():
            collected = Collected()
            with self._apart(collection_id):
                collected = await self._collector.collect(collection_id, vchannels)
            if collected.deleted:
                self._deleted.inc(len(collected.deleted))
                self._log.info(
                    "garbage collected", collection=collection_id, objects=len(collected.deleted)
                )
            if collected.needs_manifest:
                needing.append(collection_id)
        await self._collector.collect_names()
        return tuple(needing)

    async def _truncate(self) -> None:
        marks = await self._truncation.round(await self._now())
        for pchannel, mark in marks.items():
            self._truncates.labels(pchannel).inc()
            self._log.info("log truncated", pchannel=pchannel, below=mark)

    @contextmanager
    def _apart(self, what: VChannel | CollectionId) -> Iterator[None]:
        """Log what is wrong with one vchannel or collection, so that the round goes on."""
        try:
            yield
        except Corrupt as error:
            self._log.error("left alone by maintenance", what=what, reason=error.message)
        except NotFound as error:
            self._log.info("left to the next round", what=what, reason=error.message)

    async def _now(self) -> Timestamp:
        """A timestamp of the master service: clocks of ours may jump."""
        leader = self._master.leader
        if leader is None:
            raise Unavailable("no master service leads")
        answer: AllocTimestampResponse = await self._peers.call(
            leader.address, AllocTimestampRequest(), timeout_s=self._settings.call_timeout_s
        )
        return answer.timestamp
