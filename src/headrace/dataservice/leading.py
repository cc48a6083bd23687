"""One leadership of the data service, from its election to its end.

**Owns** the machine, its driver and shell for that time, what they follow, the callers that wait,
and the clock that makes the machine look again. **Does not own** the election and the lease
(`service`), or any decision (`machine`).

Nothing outlives a leadership but what is in the meta store. When it ends, callers that wait are
told that the outcome is not known, and ask whoever leads then: what stands tells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headrace.dataservice import events as ev
from headrace.dataservice.effects import Effect
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.maintenance.collector import Collector
from headrace.dataservice.maintenance.round import Maintenance
from headrace.dataservice.maintenance.truncate import Truncation
from headrace.dataservice.reports.committer import Committer
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.shell import DataServiceShell
from headrace.dataservice.state.follow import Follower
from headrace.frame.leader_store import LeaderStore
from headrace.log.api import Log
from headrace.meta.api import MetaStore, ModRevisionIs
from headrace.meta.following import LeaderWatcher, SessionWatcher
from headrace.meta.keys import Keys
from headrace.meta.records import Role, SessionRecord
from headrace.model.channel import PChannel, VChannel
from headrace.model.errors import Unavailable
from headrace.model.timestamp import physical_ms
from headrace.objects.api import ObjectStore
from headrace.rpc.api import Peers
from headrace.runtime.callers import Callers
from headrace.runtime.crashpoints import CrashPoints
from headrace.runtime.driver import Driver, Source
from headrace.runtime.host import Host
from headrace.runtime.journal import Journal
from headrace.runtime.supervise import TaskGroup
from headrace.runtime.telemetry import Telemetry

_GAUGES_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a leadership is made in; the same for all leaderships of a process."""

    settings: DataServiceSettings
    host: Host
    telemetry: Telemetry
    keys: Keys
    meta: MetaStore
    log: Log
    objects: ObjectStore
    peers: Peers
    master: LeaderWatcher
    proxies: SessionWatcher
    crash: CrashPoints
    validate: bool = False  # whether the machine's invariants are checked after every step


class Leading:
    """See the module. `run` it once; `ask` is for while it runs."""

    def __init__(self, around: Surroundings, leads: ModRevisionIs) -> None:
        self._around = around
        self._meta = LeaderStore(around.meta, leads, around.host, around.settings.pauses)
        self._journal = Journal()
        self._callers = Callers()
        self._over = ""  # why it ended
        self.machine = self._journal.begin(
            DataServiceMachine, around.settings, around.host.clock.monotonic()
        )
        self._driver: Driver[ev.Event, Effect] = Driver(
            self.machine,
            self._shell().perform,
            around.host.clock,
            name="data-service",
            journal=self._journal.record,
            validate=around.validate,
        )
        self._behind = around.telemetry.gauge(
            "dataservice_checkpoint_timestamp_seconds",
            "Time of the oldest channel checkpoint of a pchannel, seconds since 1970",
            ("pchannel",),
        )

    def story(self, text: str) -> str:
        """The steps of the machine that mention this text."""
        return self._journal.story(text)

    async def run(self) -> str:
        """Lead until the leadership ends; why it did."""
        around = self._around
        follower = Follower(
            around.meta, around.keys, around.host, around.telemetry.log, self._watched
        )
        nodes = SessionWatcher(
            around.meta,
            around.keys,
            Role.DATA_NODE,
            around.host,
            around.telemetry,
            lambda: self._nodes_changed(nodes),
        )
        try:
            async with TaskGroup("data-service-leads") as group:
                group.spawn("channels", follower.follow_channels(), must_not_end=True)
                group.spawn("collections", follower.follow_collections(), must_not_end=True)
                group.spawn("nodes", nodes.run(), must_not_end=True)
                group.spawn("time", self._pass_time(), must_not_end=True)
                group.spawn("gauges", self._show_gauges(), must_not_end=True)
                with self._journal.told_on_assertion("the data service"):
                    await self._driver.run()
                group.cancel()
        finally:
            self._end(self._over or "the leadership was ended")
        return self._over

    async def ask(self, make: Callable[[int], ev.Event]) -> Any:
        """Post an event that carries a call and wait for its answer, or raise it if it is an error.

        `Unavailable` when the leadership ends first.
        """
        if self._over:
            raise Unavailable(self._over)
        return await self._callers.ask(self._driver.post, make)

    def lost(self, reason: str) -> None:
        """The lease or the leader key has gone: act no more."""
        self._over = self._over or reason
        self._driver.stop()

    # ---- inside ----------------------------------------------------------------------------------

    def _shell(self) -> DataServiceShell:
        around, settings = self._around, self._around.settings
        committer = Committer(
            self._meta,
            around.keys,
            around.host.clock,
            timeout_s=settings.commit_timeout_s,
            retry_s=settings.retry_least_s,
        )
        maintenance = Maintenance(
            settings=settings,
            telemetry=around.telemetry,
            keys=around.keys,
            meta=self._meta,
            objects=around.objects,
            peers=around.peers,
            master=around.master,
            collector=Collector(
                self._meta, around.keys, around.objects, around.host.clock, settings.grace_s
            ),
            truncation=Truncation(self._meta, around.keys, around.log, settings.window_s),
            dropped=self._dropped,
            collections=lambda: {
                i: self.machine.manifests.vchannels(i) for i in self.machine.manifests.collections()
            },
        )
        return DataServiceShell(
            settings=settings,
            telemetry=around.telemetry,
            keys=around.keys,
            meta=self._meta,
            objects=around.objects,
            peers=around.peers,
            committer=committer,
            maintenance=maintenance,
            vchannels=self.machine.manifests.vchannels,
            proxies=lambda: [s.address for s in around.proxies.sessions.values()],
            answer=self._callers.answer,
            stand_down=self.lost,
            crash=around.crash,
        )

    def _dropped(self) -> list[VChannel]:
        channels = self.machine.channels.all()
        return [
            c.vchannel
            for c in channels
            if c.checkpoint and (c.checkpoint.dropped or c.checkpoint.dropped_partitions)
        ]

    def _nodes_changed(self, nodes: SessionWatcher) -> None:
        self._watched(ev.NodesChanged(tuple(map(_seen, nodes.sessions.values()))))

    def _watched(self, event: ev.Event) -> None:
        self._driver.post(event, Source.WATCH)

    async def _pass_time(self) -> None:
        while True:
            await self._around.host.clock.sleep(self._around.settings.step_s)
            self._driver.post(ev.TimePassed(), Source.CLOCK)

    async def _show_gauges(self) -> None:
        while True:
            await self._around.host.clock.sleep(_GAUGES_S)
            oldest: dict[PChannel, int] = {}
            for channel in self.machine.channels.all():
                if channel.wanted:
                    known = oldest.get(channel.pchannel, channel.timestamp)
                    oldest[channel.pchannel] = min(known, channel.timestamp)
            for pchannel, timestamp in oldest.items():
                self._behind.labels(pchannel).set(physical_ms(timestamp) / 1000)

    def _end(self, reason: str) -> None:
        self._over = reason
        self._callers.refuse_all(Unavailable(reason))


def _seen(session: SessionRecord) -> ev.NodeSeen:
    return ev.NodeSeen(
        node_name=session.node_name,
        server_id=session.server_id,
        address=session.address,
        state=session.state,
    )
