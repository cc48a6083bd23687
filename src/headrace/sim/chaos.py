"""Kills, freezes and restarts, at moments drawn from the seed.

A supervisor starts a killed process anew under its node name.
"""

import asyncio
from dataclasses import dataclass

from headrace.sim.cluster import Cluster

LOOK_S = 0.25
# Between two transactions of a large sync: reached once or twice in a run, in some runs only.
SELDOM_REACHED = frozenset({"datanode.report.between"})
SELDOM_CHANCE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """How rough it gets. Pauses between two acts are drawn from 0 to twice `pause_s`."""

    pause_s: float = 6.0
    freeze_chance: float = 0.4  # of an act; else a kill
    freeze_s_max: float = 12.0  # longer than a lease
    down_s_max: float = 8.0  # until a killed process is started anew


class PointKills:
    """`CrashPoints` that kill: moments drawn from time seldom hit the named places of the code."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name

    def reach(self, name: str) -> None:
        cluster = self._cluster
        chance = cluster.weather.chances.killed_at_point
        if name in SELDOM_REACHED:
            chance = SELDOM_CHANCE if chance else 0
        elif cluster.point_kills_left <= 0:
            return
        if not cluster.weather.happens(chance):
            return
        cluster.point_kills_left -= 1
        cluster.trace.note(self._name, "reached", point=name)
        cluster.kill(self._name)
        raise asyncio.CancelledError  # what stands behind the point is not run


class Chaos:
    """Acts until stopped; then everything runs again."""

    def __init__(self, cluster: Cluster, plan: ChaosPlan) -> None:
        self._cluster = cluster
        self._plan = plan
        self._stopped = False
        self._restart_at: dict[str, float] = {}
        self.kills = 0
        self.freezes = 0

    async def act(self) -> None:
        """Hit processes until `stop`."""
        cluster, plan = self._cluster, self._plan
        loop = asyncio.get_running_loop()
        while not self._stopped:
            await asyncio.sleep(cluster.chance.uniform(0, 2 * plan.pause_s))
            if self._stopped:
                return
            names = [n for n, p in sorted(cluster.processes.items()) if p.runs]
            names = [n for n in names if not cluster.processes[n].fate.frozen]
            if not names:
                continue
            name = cluster.chance.choice(names)
            if cluster.chance.random() < plan.freeze_chance:
                self.freezes += 1
                cluster.freeze(name)
                loop.call_later(cluster.chance.uniform(0.5, plan.freeze_s_max), self._thaw, name)
            else:
                self.kills += 1
                cluster.kill(name)
                down = cluster.chance.uniform(0.1, plan.down_s_max)
                self._restart_at[name] = loop.time() + down

    def _thaw(self, name: str) -> None:
        if not self._cluster.processes[name].fate.dead:
            self._cluster.thaw(name)

    async def supervise(self) -> None:
        """Start what died or ended, after its pause, for ever."""
        cluster = self._cluster
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            for name, process in sorted(cluster.processes.items()):
                if process.runs:
                    continue
                due = self._restart_at.setdefault(name, loop.time() + 1.0)
                if loop.time() >= due:
                    del self._restart_at[name]
                    cluster.start(process.role, name)

    def stop(self) -> None:
        """No more acts; the frozen go on, the dead are started soon."""
        self._stopped = True
        for name, process in sorted(self._cluster.processes.items()):
            if process.fate.frozen and not process.fate.dead:
                self._cluster.thaw(name)
