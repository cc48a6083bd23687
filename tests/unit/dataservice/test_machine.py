"""Whatever happens to nodes, answers and orders: in the end wanted and reported agree, and rest."""

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from support.world.facts import position

from headrace.dataservice import effects as fx
from headrace.dataservice import events as ev
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.records import CheckpointRecord, EpochRecord, Role, SessionRecord, SessionState
from headrace.rpc.messages import ChannelState

VCHANNELS = [f"p-{n % 4}_{7 + n // 4}v0" for n in range(6)]
NAMES = ["one", "two", "three"]
SETTINGS = DataServiceSettings(cool_down_s=2.0, drain_s=3.0, epoch_retry_most_s=4.0)


@dataclass
class Process:
    """A data node's process: flowgraphs by vchannel, and the highest epoch of each."""

    server_id: int
    name: str
    alive: bool = True
    session: bool = True
    flowgraphs: dict[str, ChannelState] = field(default_factory=dict)
    highest: Counter[str] = field(default_factory=Counter)


class Cluster:
    """A machine, meta, and nodes that do what they are told; orders may be lost on either way."""

    def __init__(self) -> None:
        self.now = 0.0
        self.revision = 10
        self.epochs = {v: (EpochRecord(epoch=0, server_id=0), self.revision) for v in VCHANNELS}
        self.processes: list[Process] = []
        self.machine = DataServiceMachine(SETTINGS, 0.0)
        self.pending: list[fx.Effect] = []
        self.orders = 0
        self.lead()

    def lead(self) -> None:
        """A new leader: what was under way is lost."""
        self.machine = DataServiceMachine(SETTINGS, self.now)
        self.pending = []
        start = {
            v: CheckpointRecord(position=position(v, 1), start=position(v, 1)) for v in VCHANNELS
        }
        epochs = tuple(ev.EpochSeen(v, r, at) for v, (r, at) in self.epochs.items())
        checkpoints = tuple(ev.CheckpointSeen(v, c, 5) for v, c in start.items())
        self.step(ev.ChannelsListed(epochs, checkpoints))
        self.sessions()

    def step(self, event: ev.Event) -> None:
        effects = self.machine.step(event, self.now)
        self.machine.validate()
        self.pending += effects
        polls = fx.AskNode | fx.DoMaintenance | fx.StoreManifest
        self.orders += sum(1 for e in effects if not isinstance(e, polls))

    def sessions(self) -> None:
        seen = {
            p.name: SessionRecord(
                role=Role.DATA_NODE,
                node_name=p.name,
                server_id=p.server_id,
                address=str(p.server_id),
                state=SessionState.HEALTHY,
            )
            for p in self.processes
            if p.session
        }
        self.step(ev.NodesChanged(tuple(seen.values())))

    def process(self, server_id: int) -> Process:
        return next(p for p in self.processes if p.server_id == server_id)

    # ---- what may happen ---------------------------------------------------------------------

    def start(self, which: int) -> None:
        name = NAMES[which % len(NAMES)]
        for p in self.processes:
            if p.name == name:
                p.alive = p.session = False
        self.processes.append(Process(len(self.processes) + 1, name))
        self.sessions()

    def kill(self, which: int) -> None:
        alive = [p for p in self.processes if p.alive]
        if alive:
            alive[which % len(alive)].alive = False

    def lose_session(self, which: int) -> None:
        held = [p for p in self.processes if p.session]
        if held:
            held[which % len(held)].session = False
            self.sessions()

    def fail(self, which: int) -> None:
        for p in self.processes:
            running = [s for s in p.flowgraphs.values() if s.state == "running"]
            if p.alive and running:
                state = running[which % len(running)]
                p.flowgraphs[state.vchannel] = replace(state, state="failed", reason="broken")
                return

    def wait(self, which: int) -> None:
        for _ in range(1 + which):
            self.now += SETTINGS.step_s
            self.step(ev.TimePassed())

    def carry_out(self, which: int) -> None:
        """One order is carried out; of some the answer is lost, some never arrive."""
        if self.pending:
            effect = self.pending.pop(which % len(self.pending))
            self.do(effect, arrives=which % 7 != 0, answered=which % 5 != 0)

    def change_leader(self, which: int) -> None:
        self.lead()

    # ---- how orders are carried out ------------------------------------------------------------

    def do(self, effect: fx.Effect, *, arrives: bool = True, answered: bool = True) -> None:
        match effect:
            case fx.WriteEpoch():
                self.write(effect, arrives, answered)
            case fx.SendWatches():
                self.watch(effect, arrives, answered)
            case fx.Release():
                self.release(effect, arrives, answered)
            case fx.AskNode():
                self.ask(effect, answered and arrives)
            case fx.StoreManifest():
                self.step(ev.ManifestNotStored(effect.collection_id, "not here"))
            case fx.DoMaintenance():
                self.step(ev.MaintenanceEnded(effect.task))
            case _:
                raise AssertionError(effect)

    def write(self, effect: fx.WriteEpoch, arrives: bool, answered: bool) -> None:
        _, at = self.epochs[effect.vchannel]
        if not arrives or at != effect.revision:
            self.step(ev.EpochNotWritten(effect.vchannel, "no answer"))
            return
        self.revision += 1
        record = EpochRecord(
            epoch=effect.epoch, server_id=effect.server_id, node_name=effect.node_name
        )
        self.epochs[effect.vchannel] = (record, self.revision)
        seen = ev.EpochSeen(effect.vchannel, record, self.revision)
        if answered:
            self.step(ev.EpochWritten(effect.vchannel, record, self.revision))
        else:
            self.step(ev.EpochNotWritten(effect.vchannel, "no answer"))
        self.step(seen)

    def watch(self, effect: fx.SendWatches, arrives: bool, answered: bool) -> None:
        p = self.process(effect.server_id)
        refused = not p.alive
        for vchannel, epoch in effect.items if arrives and p.alive else ():
            known = p.flowgraphs.get(vchannel)
            if known and known.epoch == epoch and known.state == "running":
                continue
            if epoch <= p.highest[vchannel]:
                event = ev.WatchesNotAccepted(p.server_id, effect.items, "not above", fenced=True)
                self.step(event)
                return
            p.highest[vchannel] = epoch
            p.flowgraphs[vchannel] = ChannelState(
                vchannel=vchannel,
                epoch=epoch,
                state="running",
                consumed=None,
                checkpoint=None,
                buffered_bytes=0,
            )
        if arrives and answered and p.alive:
            self.step(ev.WatchesAccepted(p.server_id, effect.items))
        else:
            event = ev.WatchesNotAccepted(p.server_id, effect.items, "no answer", refused=refused)
            self.step(event)

    def release(self, effect: fx.Release, arrives: bool, answered: bool) -> None:
        p = self.process(effect.server_id)
        state = p.flowgraphs.get(effect.vchannel)
        if arrives and p.alive and state and state.epoch == effect.epoch:
            p.flowgraphs[effect.vchannel] = replace(state, state="released")
        sent = arrives and answered and p.alive
        self.step(ev.ReleaseEnded(p.server_id, effect.vchannel, effect.epoch, sent))

    def ask(self, effect: fx.AskNode, answered: bool) -> None:
        p = self.process(effect.server_id)
        if p.alive and answered:
            self.step(ev.NodeAnswered(p.server_id, tuple(p.flowgraphs.values())))
        else:
            self.step(ev.NodeNotReached(p.server_id, not p.alive, "no answer"))

    # ---- calm ------------------------------------------------------------------------------------

    def calm(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.wait(0)
            while self.pending:
                self.do(self.pending.pop(0))

    def check(self) -> None:
        """Every vchannel runs at the process of its present epoch, which lives, and nobody else
        runs it; nodes watch equally many, as far as whole pchannels allow."""
        for vchannel in VCHANNELS:
            record, _ = self.epochs[vchannel]
            running = [
                (p.server_id, p.flowgraphs[vchannel].epoch)
                for p in self.processes
                if p.alive and vchannel in p.flowgraphs
                and p.flowgraphs[vchannel].state == "running"
            ]  # fmt: skip
            assert running == [(record.server_id, record.epoch)], vchannel


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["carry_out"] * 8
            + ["wait"] * 3
            + ["start", "start", "kill", "lose_session", "fail", "change_leader"]
        ),
        st.integers(0, 20),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_in_the_end_everything_is_watched_once_and_nothing_is_ordered_any_more(
    steps: list[tuple[str, int]],
) -> None:
    cluster = Cluster()
    for what, which in steps:
        getattr(cluster, what)(which)
    cluster.start(0)
    for p in cluster.processes:
        p.session = p.alive
    cluster.sessions()
    cluster.calm(60.0)
    cluster.check()
    orders = cluster.orders
    cluster.calm(30.0)
    assert cluster.orders == orders, "it does not come to rest"
    cluster.check()


def test_load_is_even_after_nodes_have_come_one_by_one() -> None:
    cluster = Cluster()
    for which in range(3):
        cluster.start(which)
        cluster.calm(20.0)
    cluster.check()
    held = Counter(record.node_name for record, _ in cluster.epochs.values())
    assert [held[n] for n in NAMES] == [2, 2, 2]
    moves = sum(record.epoch - 1 for record, _ in cluster.epochs.values())
    assert moves == 3 + 2
