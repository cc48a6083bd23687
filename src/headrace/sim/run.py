"""One seed: a cluster, clients, trouble, then calm, and the verdict.

The same seed gives the same trace, byte for byte. After the weather calms everything that was
acknowledged must become readable within `calm_s` virtual seconds (LIVE); then the whole log is
compared with what clients were told, and the files of the last manifests with the log.
"""

import asyncio
import gc
import random
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from headrace.meta.records import Role
from headrace.runtime.journal.replay import lines_of, read_lines, recorded, replay
from headrace.runtime.journal.steps import KEPT_STEPS, KEPT_VALUES
from headrace.sim.chaos import Chaos, PointKills
from headrace.sim.checkers import Checkers
from headrace.sim.cluster import Cluster
from headrace.sim.faults import Weather
from headrace.sim.history import History
from headrace.sim.loop import Deadlock, VirtualLoop
from headrace.sim.oracle import Violation
from headrace.sim.plan import Plan, plan_of
from headrace.sim.trace import Trace
from headrace.sim.workload import Workload

LOOK_S = 0.5
EVERYTHING = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a seed showed. `violation` is empty when all invariants held."""

    seed: int
    violation: str
    digest: str
    writes: int
    acknowledged: int
    kills: int
    freezes: int
    virtual_s: float
    steps: int


def run_seed(
    seed: int, plan: Plan | None = None, echo: Callable[[str], None] | None = None
) -> Result:
    """Run one seed to its end."""
    plan = plan or plan_of(seed)
    loop = VirtualLoop()
    trace = Trace(echo)
    running = _Run(seed, plan, trace)
    # Coroutines of dead processes are thrown away where they stand; that is no news.
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        violation = ""
        try:
            loop.run_until_complete(running.run())
        except (Violation, AssertionError, Deadlock) as error:
            violation = str(error) or repr(error)
            if isinstance(error, Deadlock):
                violation = f"LIVE {violation}"
        return running.result(seed, violation, loop)
    finally:
        loop.close()
        del running
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            gc.collect()
        sys.unraisablehook = hook


class _Run:
    def __init__(self, seed: int, plan: Plan, trace: Trace) -> None:
        self.plan = plan
        self.trace = trace
        chance = random.Random(seed)
        self.weather = Weather(random.Random(chance.getrandbits(64)), plan.chances)
        self.chance = chance
        self.history = History()
        self.chaos: Chaos | None = None

    async def run(self) -> None:
        plan = self.plan
        self.cluster = cluster = Cluster(
            chance=self.chance,
            weather=self.weather,
            settings=plan.settings,
            trace=self.trace,
            crash_points=PointKills,
            point_kills_left=plan.point_kills,
            kept_steps=EVERYTHING if plan.replays else KEPT_STEPS,
            kept_values=EVERYTHING if plan.replays else KEPT_VALUES,
        )
        self.checkers = Checkers(cluster.keys, cluster.meta, cluster.log, cluster.objects)
        cluster.start(Role.MASTER_SERVICE, "master-service-1")
        cluster.start(Role.DATA_SERVICE, "data-service-1")
        for n in range(plan.data_nodes):
            cluster.start(Role.DATA_NODE, f"data-node-{n + 1}")
        for n in range(plan.proxies):
            cluster.start(Role.PROXY, f"proxy-{n + 1}")
        workload = Workload(cluster, plan.workload, self.history)
        self.chaos = chaos = Chaos(cluster, plan.chaos)
        loop = asyncio.get_running_loop()
        background = [loop.create_task(chaos.supervise()), loop.create_task(chaos.act())]
        clients = [loop.create_task(workload.client(n)) for n in range(plan.workload.clients)]
        try:
            await self._watch(plan.rough_s)
            chaos.stop()
            self.weather.is_calm = True
            workload.stop()
            self.trace.note("world", "calm")
            await self._settle(clients, workload)
            self.checkers.look()
            self.history.check(self.checkers.truths)
            self.checkers.check_flushes(self.history.flushes)
            if plan.replays:
                self._replay()
        finally:
            for task in [*background, *clients]:
                task.cancel()
            await asyncio.gather(*background, *clients, return_exceptions=True)

    def _replay(self) -> None:
        """Every machine orders the same again when its journal is stepped through."""
        for telemetry in self.cluster.telemetry:
            for name, journal in telemetry.journals.items():
                record = read_lines(lines_of(recorded(journal)))
                if difference := replay(record):
                    raise Violation(f"REPLAY {name}: {difference}")
                self.trace.note("world", "replayed", machine=name, steps=len(record.steps))

    async def _watch(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        broken = [*self.cluster.broken, *loop.callbacks_broken]
        if broken:
            raise Violation(f"BUG {broken[0]}")
        self.checkers.look()

    async def _settle(self, clients: "list[asyncio.Task[None]]", workload: Workload) -> None:
        """Wait for the clients, then until every collection is flushed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.plan.calm_s

        async def finish() -> None:
            await asyncio.gather(*clients)
            for name in workload.names:
                if not await workload.flush(name, end - loop.time()):
                    raise Violation(f"LIVE a flush of {name} was not done in {self.plan.calm_s} s")

        finishing = loop.create_task(finish())
        try:
            while not finishing.done():
                await asyncio.sleep(LOOK_S)
                self._look()
                if loop.time() > end + 1:
                    raise Violation(f"LIVE clients were not done in {self.plan.calm_s} s")
            await finishing
        finally:
            finishing.cancel()
            await asyncio.gather(finishing, return_exceptions=True)

    def result(self, seed: int, violation: str, loop: VirtualLoop) -> Result:
        acknowledged = sum(w.outcome == "acknowledged" for w in self.history.writes)
        return Result(
            seed=seed,
            violation=violation,
            digest=self.trace.digest,
            writes=len(self.history.writes),
            acknowledged=acknowledged,
            kills=self.chaos.kills if self.chaos else 0,
            freezes=self.chaos.freezes if self.chaos else 0,
            virtual_s=loop.time(),
            steps=loop.steps,
        )
