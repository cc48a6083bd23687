"""What a leadership of the data service is made of.

Callers that wait when it ends are told that the outcome is not known, and ask the next leader: what
stands tells.
"""

from headrace.dataservice import events as ev
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.maintenance.round import Maintenance
from headrace.dataservice.reports.committer import Committer
from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.shell import DataServiceShell
from headrace.dataservice.state.follow import Follower
from headrace.frame.actor import Actor, every
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.meta.following import LeaderWatcher, SessionWatcher
from headrace.meta.records import Role
from headrace.model.channel import PChannel, VChannel
from headrace.model.errors import Unavailable
from headrace.model.timestamp import physical_ms
from headrace.runtime.callers import Callers
from headrace.runtime.driver import Source
from headrace.runtime.supervise import TaskGroup

_GAUGES_S = 1.0


def lead(
    around: Surroundings[DataServiceSettings],
    store: LeaderStore,
    master: LeaderWatcher,
    proxies: SessionWatcher,
) -> Actor[DataServiceMachine, ev.Event]:
    """Begin with nothing: the machine waits for the lists of what it follows."""
    settings, host = around.settings, around.host
    callers, journal = Callers(), around.telemetry.journal(Role.DATA_SERVICE.value)
    machine = journal.begin(DataServiceMachine, settings, host.clock.monotonic())

    def stand_down(reason: str) -> None:
        actor.end(reason)

    committer = Committer(
        store,
        around.keys,
        host.clock,
        timeout_s=settings.commit_timeout_s,
        retry_s=settings.retry_least_s,
    )
    manifests = machine.manifests
    maintenance = Maintenance(
        around,
        store,
        master,
        dropped=lambda: _dropped(machine),
        collections=lambda: {i: manifests.vchannels(i) for i in manifests.collections()},
    )
    shell = DataServiceShell(
        around,
        store,
        committer=committer,
        maintenance=maintenance,
        vchannels=manifests.vchannels,
        proxies=lambda: [s.address for s in proxies.sessions.values()],
        answer=callers.answer,
        stand_down=stand_down,
    )
    actor: Actor[DataServiceMachine, ev.Event] = Actor(
        Role.DATA_SERVICE.value,
        machine,
        shell.perform,
        around,
        callers=callers,
        journal=journal,
        ended=Unavailable,
    )
    return actor


def follow(
    around: Surroundings[DataServiceSettings],
    actor: Actor[DataServiceMachine, ev.Event],
    group: TaskGroup,
) -> None:
    """Tell the machine of vchannels, collections, data nodes and time while the group lives."""

    def tell(event: ev.Event) -> None:
        actor.post(event, Source.WATCH)

    clock = around.host.clock
    follower = Follower(around.meta, around.keys, around.host, around.telemetry.log, tell)
    nodes = SessionWatcher(
        around.meta,
        around.keys,
        Role.DATA_NODE,
        around.host,
        around.telemetry,
        lambda: tell(ev.NodesChanged(tuple(nodes.sessions.values()))),
    )
    behind = around.telemetry.gauge(
        "dataservice_checkpoint_timestamp_seconds",
        "Time of the oldest channel checkpoint of a pchannel, seconds since 1970",
        ("pchannel",),
    )

    def show_gauges() -> None:
        oldest: dict[PChannel, int] = {}
        for channel in actor.machine.channels.all():
            if channel.wanted:
                known = oldest.get(channel.pchannel, channel.timestamp)
                oldest[channel.pchannel] = min(known, channel.timestamp)
        for pchannel, timestamp in oldest.items():
            behind.labels(pchannel).set(physical_ms(timestamp) / 1000)

    def pass_time() -> None:
        actor.post(ev.TimePassed(), Source.CLOCK)

    for name, work in (
        ("channels", follower.follow_channels()),
        ("collections", follower.follow_collections()),
        ("nodes", nodes.run()),
        ("time", every(clock, around.settings.step_s, pass_time)),
        ("gauges", every(clock, _GAUGES_S, show_gauges)),
    ):
        group.spawn(name, work, must_not_end=True)


def _dropped(machine: DataServiceMachine) -> list[VChannel]:
    """The vchannels with a drop behind them."""
    return [
        c.vchannel
        for c in machine.channels.all()
        if c.checkpoint and (c.checkpoint.dropped or c.checkpoint.dropped_partitions)
    ]
