"""A whole cluster in one process: production roles on in-memory edges, each killed and frozen
alone.

Roles are made by the same function as in production (`app.wiring.make_role`); only the edges, the
host and the settings (small sizes, short times) are the simulator's.
"""

import asyncio
import contextvars
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headrace.app.wiring import RoleSettings, make_role
from headrace.frame.service import RoleService
from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import Role
from headrace.model.errors import HeadraceError
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.rpc.memory import Call, MemoryNetwork
from headrace.runtime.crashpoints import CrashPoints, NoCrashPoints
from headrace.runtime.journal.steps import KEPT_STEPS, KEPT_VALUES
from headrace.runtime.telemetry import Telemetry
from headrace.sim.faults import LogFaults, MetaFaults, ObjectFaults, RpcFaults, Weather
from headrace.sim.host import virtual_host
from headrace.sim.loop import PROCESS, Fate, VirtualLoop, context_of
from headrace.sim.oracle import Violation
from headrace.sim.trace import SimLogger, Trace


@dataclass(slots=True)
class Process:
    """One simulated process."""

    role: Role
    name: str
    fate: Fate
    address: str
    context: contextvars.Context
    instance: RoleService[Any] | None = None
    task: "asyncio.Task[None] | None" = None
    starts: int = 1

    @property
    def runs(self) -> bool:
        return not self.fate.dead and self.task is not None and not self.task.done()


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The servers that never fail by themselves, and the processes that do."""

    chance: random.Random
    weather: Weather
    settings: RoleSettings
    trace: Trace
    keys: Keys = field(default_factory=Keys)
    processes: dict[str, Process] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    graves: list[Process] = field(default_factory=list)  # kept: the dead must not be collected
    broken: list[str] = field(default_factory=list)
    kept_steps: int = KEPT_STEPS  # of each machine's journal
    kept_values: int = KEPT_VALUES  # of each event and effect
    telemetry: list[Telemetry] = field(default_factory=list)  # of all processes ever started
    crash_points: Callable[["Cluster", str], CrashPoints] = lambda cluster, name: NoCrashPoints()
    point_kills_left: int = 0
    meta: MemoryMetaServer = field(init=False)
    log: MemoryLogServer = field(init=False)
    objects: MemoryBucket = field(init=False)
    network: MemoryNetwork = field(init=False)

    def __post_init__(self) -> None:
        clock = virtual_host(self.chance).clock
        self.meta = MemoryMetaServer(clock)
        self.log = MemoryLogServer()
        self.objects = MemoryBucket(clock)
        self.network = MemoryNetwork(clock, RpcFaults(self.weather), self._handler_broke)

    def _handler_broke(self, call: Call, error: Exception) -> None:
        name = type(call.request).__name__
        self.broken.append(f"a handler of {name} at {call.address}: {error!r}")
        self.trace.note("world", "a handler broke", request=name, error=repr(error))

    # ---- processes -------------------------------------------------------------------------------

    def start(self, role: Role, name: str) -> Process:
        """Start a process under a node name; its predecessor, if any, must be dead or ended."""
        old = self.processes.get(name)
        assert old is None or not old.runs, name
        if old is not None:
            self.graves.append(old)
        fate = Fate(name)
        context = context_of(fate)
        number = self.starts.get(name, 0) + 1
        self.starts[name] = number
        server = self.network.server()
        process = Process(role, name, fate, server.address, context, starts=number)
        logger = SimLogger(self.trace, f"{name}#{number}")
        telemetry = Telemetry(logger, kept_steps=self.kept_steps, kept_values=self.kept_values)
        self.telemetry.append(telemetry)
        around = Surroundings(
            settings=self.settings,
            node_name=name,
            host=virtual_host(random.Random(self.chance.getrandbits(64))),
            telemetry=telemetry,
            keys=self.keys,
            meta=self.meta.client(name, MetaFaults(self.weather)),
            log=self.log.client(LogFaults(self.weather)),
            objects=MemoryObjects(self.objects, ObjectFaults(self.weather)),
            peers=self.network.peers(name),
            server=server,
            crash=self.crash_points(self, name),
            validate=True,
        )
        self.trace.note(name, "process starts", number=number, address=server.address)

        async def main() -> None:
            process.instance = make_role(role, around)
            await process.instance.run()

        loop = asyncio.get_running_loop()
        process.task = loop.create_task(main(), context=context)
        process.task.add_done_callback(lambda task: self._ended(process, task), context=_world())
        self.processes[name] = process
        return process

    def _ended(self, process: Process, task: "asyncio.Task[None]") -> None:
        """A process that ends by an error of ours broke; one that was fenced starts anew."""
        self.network.kill(process.address)
        if task.cancelled():
            return
        error = task.exception()
        self.trace.note(process.name, "process ended", error=repr(error))
        if error is not None and not isinstance(error, HeadraceError):
            self.broken.append(f"{process.name}: {error!r}")
            if not isinstance(error, Violation):
                self.trace.failure(process.name, error)

    def kill(self, name: str) -> None:
        """SIGKILL: nothing of it runs again."""
        process = self.processes[name]
        if not process.fate.dead:
            self.trace.note(name, "killed")
            process.fate.dead = True
            self.network.kill(process.address)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.trace.note(name, "frozen")
        self.processes[name].fate.frozen = True

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        process = self.processes[name]
        if process.fate.frozen:
            self.trace.note(name, "thawed")
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.thaw(process.fate)

    def of(self, role: Role) -> list[Process]:
        """Running processes of a role, in order of name."""
        return [p for _, p in sorted(self.processes.items()) if p.role is role and p.runs]

    async def inside(self, process: Process, work: Callable[[], Any]) -> Any:
        """Run a coroutine function inside a process, as its front door would on a request.

        Never returns when the process dies or is frozen for ever: callers set their own limit.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        async def run() -> None:
            try:
                result = await work()
            except Exception as error:  # noqa: BLE001 - handed to the caller
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)

        running = loop.create_task(run(), context=process.context.copy())
        running.add_done_callback(lambda _: None)
        return await done


def _world() -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(PROCESS.set, None)
    return context
